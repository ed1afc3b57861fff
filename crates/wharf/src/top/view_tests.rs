//! What is on the screen after which keys, at several sizes.

use super::*;
use crate::top::keys::Key;
use crate::top::state::{Act, Order};

fn row(name: &str) -> Row {
    Row {
        id: format!("id of {name}"),
        name: format!("{name}.shop"),
        place: format!("127.0.0.1:{name}"),
        state: "ready".to_owned(),
        port: "8000".to_owned(),
        cpu: "3%".to_owned(),
        memory: "48M".to_owned(),
        age: "2 min".to_owned(),
        url: format!("http://{name}.shop.localhost"),
        log: std::path::PathBuf::new(),
    }
}

fn text(state: &State, columns: u16, lines: u16) -> Vec<String> {
    let buffer = draw(state, columns, lines);
    let line = |y| (0..columns).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..lines).map(|y| line(y).trim_end().to_owned()).collect()
}

fn of(names: &[&str]) -> State {
    let mut state = State::default();
    state.take(names.iter().map(|name| row(name)).collect());
    state.said("it listens".to_owned());
    state
}

fn press(state: &mut State, keys: &str) -> Vec<Act> {
    keys.chars().filter_map(|key| state.press(Key::Char(key))).collect()
}

fn order(command: &'static str, name: &str) -> Order {
    Order { command, name: format!("{name}.shop"), place: format!("127.0.0.1:{name}") }
}

#[test]
fn a_screen_of_80_by_24_has_all_of_it_without_colour() {
    let lines = text(&of(&["api", "web"]), 80, 24);
    assert_eq!(lines[0], "wharf top  [instances] ports   2 running");
    assert_eq!(lines[1], "  NAME     STATE      PORT   CPU    MEM   AGE URL");
    assert_eq!(lines[2], "> api.shop ready      8000    3%    48M 2 min http://api.shop.localhost");
    assert_eq!(lines[3], "  web.shop ready      8000    3%    48M 2 min http://web.shop.localhost");
    assert_eq!(lines[4], "-- api.shop http://api.shop.localhost");
    assert_eq!(lines[5], "it listens");
    assert_eq!(lines[23], KEYS);
    assert!(KEYS.len() <= 80);
    assert!(HELP.iter().all(|line| line.len() <= 80));
}

#[test]
fn thirty_columns_have_name_state_and_port() {
    let lines = text(&of(&["administration", "web"]), 30, 8);
    assert_eq!(lines[1], "  NAME       STATE      PORT U");
    assert_eq!(lines[2], "> administra ready      8000 h");
    assert_eq!(lines[3], "  web.shop   ready      8000 h");
    assert_eq!(lines[4], "-- administration.shop http://");
    assert_eq!(lines[7], "? help  q quit  / filter  tab");
}

#[test]
fn twenty_columns_and_five_lines_have_the_selected_one() {
    let mut state = of(&["api", "docs", "web"]);
    press(&mut state, "jj");
    let lines = text(&state, 20, 5);
    assert_eq!(lines[2], "> web.sh ready");
    assert_eq!(lines[3], "-- web.shop http://w");
    press(&mut state, "r");
    assert_eq!(text(&state, 20, 5)[4], "wharf restart web.sh");
    press(&mut state, "k");
    assert_eq!(text(&state, 20, 5)[4], "? help  q quit  / fi");
}

#[test]
fn any_size_is_drawn_in_every_mode() {
    for mode in [Mode::Plain, Mode::Filter, Mode::Help, Mode::Sure(order("stop", "api"))] {
        for tab in [Tab::Instances, Tab::Ports] {
            let mut state = of(&["api", "web"]);
            (state.mode, state.tab) = (mode.clone(), tab);
            state.message = "done".to_owned();
            state.take_ports(vec!["PORT".to_owned(), "8000  é漢字".to_owned()]);
            for (columns, lines) in [(0, 0), (1, 1), (3, 2), (40, 10), (200, 50)] {
                draw(&state, columns, lines);
            }
        }
    }
}

#[test]
fn what_a_command_says_stands_above_the_keys_until_the_next_key() {
    let mut state = of(&["api", "web"]);
    assert_eq!(press(&mut state, "r"), [Act::Command(order("restart", "api"))]);
    let lines = text(&state, 80, 24);
    assert_eq!(lines[22], "wharf restart api.shop …");
    assert_eq!(lines[23], KEYS);
    press(&mut state, "j");
    assert_eq!(text(&state, 80, 24)[22], "");
}

#[test]
fn a_stop_is_asked_about() {
    let mut state = of(&["api", "web"]);
    assert_eq!(press(&mut state, "s"), []);
    assert!(text(&state, 40, 10)[9].starts_with("stop api.shop? y"));
    assert_eq!(press(&mut state, "n"), []);
    assert_eq!(text(&state, 40, 10)[8], "api.shop goes on");
    assert_eq!(press(&mut state, "sy"), [Act::Command(order("stop", "api"))]);
    press(&mut state, "s");
    for key in ['s', 'y'] {
        assert_eq!(state.press(Key::Pasted(key)), None, "nobody typed it");
    }
    assert_eq!(state.mode, Mode::Sure(order("stop", "api")));
}

#[test]
fn keys_act_on_the_selected_instance_by_its_address() {
    let mut state = of(&["api", "web"]);
    let url = "http://web.shop.localhost".to_owned();
    assert_eq!(press(&mut state, "joc"), [Act::Command(order("open", "web")), Act::Copy(url)]);
    state.press(Key::Tab);
    assert_eq!(press(&mut state, "orsc"), [], "no instance is selected in the port map");
    assert_eq!(press(&mut of(&[]), "orsc"), []);
}

#[test]
fn a_filter_moves_the_selection_and_takes_what_is_pasted() {
    let mut state = of(&["api", "web"]);
    press(&mut state, "/");
    for letter in "WEB".chars() {
        state.press(Key::Pasted(letter));
    }
    assert_eq!(state.chosen().map(|row| row.name.as_str()), Some("web.shop"));
    assert!(state.log.is_empty(), "it was the other one's");
    assert_eq!(text(&state, 80, 24)[23], "/WEB_  enter keeps it, escape shows all");
    state.press(Key::Enter);
    assert_eq!(text(&state, 80, 24)[0], "wharf top  [instances] ports   2 running  filter: WEB");
    state.press(Key::Escape);
    assert_eq!(state.shown().len(), 2);
}

#[test]
fn the_selection_stays_with_its_instance_then_its_name_then_its_line() {
    let mut state = of(&["api", "docs", "web"]);
    press(&mut state, "j");
    state.said("it listens".to_owned());
    state.take(vec![row("aaa"), row("api"), row("docs"), row("web")]);
    assert_eq!(state.selected.as_deref(), Some("id of docs"));
    assert!(!state.log.is_empty());
    let again = Row { id: "another id".to_owned(), ..row("docs") };
    state.take(vec![row("api"), again, row("web")]);
    assert_eq!(state.selected.as_deref(), Some("another id"));
    assert!(state.log.is_empty(), "its output begins anew");
    state.take(vec![row("api"), row("web")]);
    assert_eq!(state.selected.as_deref(), Some("id of web"));
    state.take(vec![row("api")]);
    assert_eq!(state.selected.as_deref(), Some("id of api"));
    state.take(Vec::new());
    assert_eq!(state.selected, None);
    assert_eq!(text(&state, 80, 24)[2], "  nothing runs");
}

#[test]
fn a_port_map_that_shrinks_or_is_filtered_is_not_scrolled_out_of_sight() {
    let mut state = of(&[]);
    let map = |ports: u16| {
        let lines = (0..ports).map(|port| format!("{}", 8000 + port));
        std::iter::once("PORT".to_owned()).chain(lines).collect::<Vec<_>>()
    };
    state.press(Key::Tab);
    state.take_ports(map(100));
    state.press(Key::End);
    assert_eq!(text(&state, 30, 10)[2], "8099");
    state.take_ports(map(3));
    assert_eq!(text(&state, 30, 10)[2], "8002");
    state.take_ports(map(100));
    state.press(Key::End);
    press(&mut state, "/8005");
    assert_eq!(text(&state, 30, 10)[1..3], ["PORT", "8005"]);
}

#[test]
fn trouble_is_told_above_the_keys_and_stays() {
    let mut state = of(&["api"]);
    state.trouble = Some("no daemon runs".to_owned());
    press(&mut state, "j");
    let lines = text(&state, 80, 24);
    assert_eq!(lines[22], "! no daemon runs: what is shown is old");
    assert_eq!(lines[23], KEYS);
    assert_eq!(lines[2].trim_start_matches("> ").split(' ').next(), Some("api.shop"));
}
