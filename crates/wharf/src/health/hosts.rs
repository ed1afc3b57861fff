//! Lines of `/etc/hosts` about names that are wharf's to give.

use std::net::IpAddr;

use super::Finding;

const AREA: &str = "hosts";
const FILE: &str = "/etc/hosts";

pub(super) fn examine() -> Vec<Finding> {
    match std::fs::read_to_string(FILE) {
        Ok(text) => vec![judge(&text)],
        Err(error) => {
            vec![Finding::note(AREA, format!("{FILE} cannot be read")).why(error.to_string())]
        }
    }
}

/// A line that gives an address to names below `localhost`.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    number: usize,
    address: IpAddr,
    names: Vec<&'a str>,
    /// Whether no other name stands in it.
    alone: bool,
}

fn lines(text: &str) -> Vec<Line<'_>> {
    text.lines().enumerate().filter_map(|(index, text)| line(index + 1, text)).collect()
}

/// `None` for a line about other names.
fn line(number: usize, text: &str) -> Option<Line<'_>> {
    let mut words = text.split('#').next()?.split_whitespace();
    let address = words.next()?.parse().ok()?;
    let is_ours = |name: &&str| name.to_ascii_lowercase().ends_with(".localhost");
    let (names, others): (Vec<&str>, Vec<&str>) = words.partition(is_ours);
    let alone = others.is_empty();
    (!names.is_empty()).then_some(Line { number, address, names, alone })
}

fn judge(text: &str) -> Finding {
    let lines = lines(text);
    if lines.is_empty() {
        return Finding::good(AREA, "no line in /etc/hosts is in the way of names");
    }
    let told: Vec<String> = lines
        .iter()
        .map(|line| format!("line {}: {} {}", line.number, line.address, line.names.join(" ")))
        .collect();
    let misleads = lines.iter().any(|line| !line.address.is_loopback());
    let mut finding = match misleads {
        true => Finding::trouble(AREA, "/etc/hosts leads names below `localhost` elsewhere"),
        false => {
            Finding::note(AREA, "/etc/hosts has names below `localhost` that wharf did not write")
        }
    };
    finding.why.extend(told);
    let deletions: Vec<String> =
        lines.iter().filter(|line| line.alone).map(|line| format!("{}d", line.number)).collect();
    match deletions.len() == lines.len() {
        true => finding.mended_by(format!("sudo sed -i.bak '{}' {FILE}", deletions.join(";"))),
        false => finding.mended_by(format!("sudoedit {FILE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn lines_about_other_names_are_nobodys_concern() {
        let text = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n10.0.0.1 shop.test # shop.localhost\n";
        assert_eq!(lines(text), []);
        assert_eq!(judge(text).state, State::Good);
    }

    #[test]
    fn what_is_left_of_other_tools_is_noted_and_what_misleads_is_trouble() {
        let text =
            "127.0.0.1 localhost\n127.0.0.1 shop.localhost\n\n::1 API.localhost a.localhost\n";
        let finding = judge(text);
        assert_eq!(finding.state, State::Note);
        assert_eq!(finding.command.as_deref(), Some("sudo sed -i.bak '2d;4d' /etc/hosts"));
        let finding = judge("192.0.2.1 shop.localhost nas\n");
        assert_eq!(finding.state, State::Trouble);
        assert_eq!(finding.command.as_deref(), Some("sudoedit /etc/hosts"), "the other name stays");
    }
}
