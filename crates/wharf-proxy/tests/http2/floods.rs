//! Clients that want to wear the proxy out, and frames that break the rules of the connection. Whatever
//! comes of it, it comes soon, and others are served.

use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::raw::{
    ACK, AWAY, CONTINUATION, DATA, END_HEADERS, END_STREAM, Fate, HEADERS, PING, PREFACE, PRIORITY,
    PUSH, RESET, Raw, SETTINGS, WHOLE, WINDOW, block, frame,
};
use crate::stage::many;
use crate::way::{Set, WAYS};

/// How many frames a flood has.
const FLOOD: usize = 10_000;
/// How many are written at once.
const AT_ONCE: usize = 100;
/// How long a flood may keep the proxy busy.
const SOON: Duration = Duration::from_secs(10);
/// The most that a client may make the proxy ask its server for, beyond what it waits for.
const MOST_ASKED: usize = 1024;

/// Sends a flood, after this beginning, and sees that the next client is served.
fn flood(name: &str, begin: impl Fn(&mut Raw), frames: impl Fn(&Raw, u32) -> Vec<u8>) {
    many();
    for way in WAYS {
        let set = Set::echo(way);
        let begun = Instant::now();
        let mut raw = Raw::new(&set.door);
        begin(&mut raw);
        for first in (0..FLOOD).step_by(AT_ONCE) {
            let numbers = (first..first + AT_ONCE).map(|number| number as u32);
            let all: Vec<u8> = numbers.flat_map(|number| frames(&raw, number)).collect();
            raw.send(&all);
            if raw.broken {
                break;
            }
        }
        assert_eq!(Peer::new(&set.door).get("/next").text(), "GET /next", "{way:?} {name}");
        assert!(begun.elapsed() < SOON, "{way:?} {name}: {:?}", begun.elapsed());
        drop(raw);
        let log = set.end();
        assert!(log.connections <= MOST_ASKED, "{way:?} {name}: {} connections", log.connections);
    }
}

/// An odd number for each.
fn stream(number: u32) -> u32 {
    2 * number + 1
}

#[test]
fn streams_that_are_reset_at_once() {
    flood(
        "rapid reset",
        |_| {},
        |raw, number| {
            let mut all = frame(HEADERS, WHOLE, stream(number), &block(&raw.ask("GET", "/a", &[])));
            all.extend(frame(RESET, 0, stream(number), &8_u32.to_be_bytes()));
            all
        },
    );
}

/// Streams that the proxy must reset itself (CVE-2025-8671).
#[test]
fn streams_that_have_to_be_reset_at_once() {
    flood(
        "made to reset",
        |_| {},
        |raw, number| {
            let head = block(&raw.ask("POST", "/a", &[]));
            let mut all = frame(HEADERS, END_HEADERS, stream(number), &head);
            all.extend(frame(WINDOW, 0, stream(number), &[0; 4]));
            all
        },
    );
    flood(
        "malformed heads",
        |_| {},
        |raw, number| {
            let head = block(&raw.ask("GET", "/a", &[("connection", "close")]));
            frame(HEADERS, WHOLE, stream(number), &head)
        },
    );
}

#[test]
fn heads_without_an_end() {
    let open = |raw: &mut Raw| {
        let head = raw.ask("GET", "/a", &[]);
        raw.headers(END_STREAM, 1, &head);
    };
    let large = block(&[("x", &"a".repeat(8 * 1024))]);
    flood("CONTINUATION", open, |_, _| frame(CONTINUATION, 0, 1, &large));
    flood("empty CONTINUATION", open, |_, _| frame(CONTINUATION, 0, 1, &[]));
    flood("small CONTINUATION", open, |_, _| frame(CONTINUATION, 0, 1, &block(&[("x", "y")])));
}

#[test]
fn frames_that_want_an_answer_or_do_nothing() {
    let open = |raw: &mut Raw| {
        let head = raw.ask("POST", "/a", &[]);
        raw.headers(END_HEADERS, 1, &head);
    };
    flood("PING", |_| {}, |_, _| frame(PING, 0, 0, &[0; 8]));
    flood("SETTINGS", |_| {}, |_, _| frame(SETTINGS, 0, 0, &[]));
    flood("empty DATA", open, |_, _| frame(DATA, 0, 1, &[]));
    flood("padded empty DATA", open, |_, _| frame(DATA, 8, 1, &[3, 0, 0, 0]));
    flood("WINDOW_UPDATE", open, |_, _| frame(WINDOW, 0, 1, &[0, 0, 0, 1]));
    flood("PRIORITY", open, |_, _| frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]));
    flood("unknown frames", |_| {}, |_, _| frame(0x77, 0, 0, b"what"));
}

/// A field that the table keeps, named again and again: 16 KiB that stand for 60 MiB.
#[test]
fn a_small_head_that_becomes_a_large_one() {
    const KEPT: u8 = 0x40;
    const NAMED: u8 = 0x80 | 62;
    for way in WAYS {
        let set = Set::echo(way);
        let mut raw = Raw::new(&set.door);
        let mut bomb = block(&raw.ask("GET", "/a", &[]));
        let field = bomb.len();
        bomb.extend(block(&[("x", &"a".repeat(3900))]));
        bomb[field] = KEPT;
        bomb.resize(16 * 1024, NAMED);
        raw.frame(HEADERS, WHOLE, 1, &bomb);
        let fate = raw.fate(1);
        let refused = matches!(fate, Fate::Answered(431) | Fate::Reset(_) | Fate::Away(_));
        assert!(refused, "{way:?}: {fate:?}");
        assert_eq!(set.end().requests.len(), 0);
    }
}

/// Sends these bytes on a connection of their own; whether it is given up, with one of these codes.
fn ends(rows: &[(&str, Vec<u8>, &[u32])]) {
    let mut wrong = Vec::new();
    for way in WAYS {
        for (name, sent, codes) in rows {
            let set = Set::echo(way);
            let mut raw = Raw::new(&set.door);
            raw.send(sent);
            let fate = raw.fate(u32::MAX);
            let right = match fate {
                // h2 mostly has no closer code than this one.
                Fate::Away(code) => code == PROTOCOL || codes.contains(&code),
                _ => false,
            };
            if !right || set.end().requests.len() > 1 {
                wrong.push(format!("{way:?} {name}: {fate:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const PROTOCOL: u32 = 1;
const FLOW: u32 = 3;
const CLOSED: u32 = 5;
const SIZE: u32 = 6;
const COMPRESSION: u32 = 9;

/// The head of a request to the host that is served.
fn head() -> Vec<u8> {
    block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", crate::stage::HOST),
        (":path", "/a"),
    ])
}

#[test]
fn frames_of_a_wrong_size_end_the_connection() {
    ends(&[
        ("a frame that is too long", frame(0x77, 0, 0, &vec![0; 16 * 1024 + 1]), &[SIZE]),
        ("DATA that is too long", frame(DATA, 0, 1, &vec![0; 16 * 1024 + 1]), &[SIZE]),
        ("a frame that says 16 MiB", vec![255, 255, 255, DATA, 0, 0, 0, 0, 1], &[SIZE]),
        ("SETTINGS of 5", frame(SETTINGS, 0, 0, &[0; 5]), &[SIZE]),
        ("an ACK with settings", frame(SETTINGS, ACK, 0, &[0; 6]), &[SIZE]),
        ("PING of 7", frame(PING, 0, 0, &[0; 7]), &[SIZE]),
        ("RST_STREAM of 3", frame(RESET, 0, 1, &[0; 3]), &[SIZE]),
        ("WINDOW_UPDATE of 3", frame(WINDOW, 0, 0, &[0; 3]), &[SIZE]),
        ("GOAWAY of 3", frame(AWAY, 0, 0, &[0; 3]), &[SIZE, PROTOCOL]),
    ]);
}

#[test]
fn frames_in_a_wrong_place_end_the_connection() {
    let then = |first: Vec<u8>, second: Vec<u8>| [first, second].concat();
    let open = || frame(HEADERS, END_HEADERS, 1, &head());
    let begun = || frame(HEADERS, 0, 1, &head());
    ends(&[
        ("DATA on no stream", frame(DATA, 0, 0, b"x"), &[PROTOCOL]),
        ("DATA on an idle stream", frame(DATA, 0, 1, b"x"), &[PROTOCOL, CLOSED]),
        ("RST_STREAM on an idle stream", frame(RESET, 0, 1, &[0; 4]), &[PROTOCOL]),
        ("WINDOW_UPDATE on an idle stream", frame(WINDOW, 0, 1, &[0, 0, 0, 1]), &[PROTOCOL]),
        ("HEADERS on no stream", frame(HEADERS, WHOLE, 0, &head()), &[PROTOCOL]),
        ("HEADERS on an even stream", frame(HEADERS, WHOLE, 2, &head()), &[PROTOCOL]),
        (
            "an older stream",
            then(frame(HEADERS, END_HEADERS, 5, &head()), frame(HEADERS, WHOLE, 3, &head())),
            &[PROTOCOL, CLOSED],
        ),
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, &[]), &[PROTOCOL]),
        ("PING on a stream", frame(PING, 0, 1, &[0; 8]), &[PROTOCOL]),
        ("GOAWAY on a stream", frame(AWAY, 0, 1, &[0; 8]), &[PROTOCOL]),
        ("a promise", then(open(), frame(PUSH, END_HEADERS, 1, &[0, 0, 0, 2])), &[PROTOCOL]),
        ("CONTINUATION alone", frame(CONTINUATION, END_HEADERS, 1, &head()), &[PROTOCOL]),
        (
            "CONTINUATION of what is whole",
            then(open(), frame(CONTINUATION, 4, 1, &[])),
            &[PROTOCOL],
        ),
        ("PING within a head", then(begun(), frame(PING, 0, 0, &[0; 8])), &[PROTOCOL]),
        (
            "another stream within a head",
            then(begun(), frame(CONTINUATION, 4, 3, &[])),
            &[PROTOCOL],
        ),
        ("padding that is longer than all", then(open(), frame(DATA, 8, 1, &[9, 0])), &[PROTOCOL]),
        ("HEADERS with such padding", frame(HEADERS, WHOLE | 8, 1, &[255, 0]), &[PROTOCOL]),
    ]);
}

#[test]
fn windows_settings_and_blocks_that_cannot_be_end_the_connection() {
    let most = [127, 255, 255, 255];
    let set = |setting: u8, value: u32| {
        frame(SETTINGS, 0, 0, &[&[0, setting][..], &value.to_be_bytes()].concat())
    };
    let headers = |block: &[u8]| frame(HEADERS, WHOLE, 1, block);
    let with = |end: &[u8]| headers(&[&head(), end].concat());
    ends(&[
        ("a window that is too large", frame(WINDOW, 0, 0, &most), &[FLOW]),
        ("one that grows by nothing", frame(WINDOW, 0, 0, &[0; 4]), &[PROTOCOL]),
        ("ENABLE_PUSH of 2", set(2, 2), &[PROTOCOL]),
        ("INITIAL_WINDOW_SIZE of 2^31", set(4, 1 << 31), &[FLOW]),
        ("MAX_FRAME_SIZE of 100", set(5, 100), &[PROTOCOL]),
        ("MAX_FRAME_SIZE of 2^24", set(5, 1 << 24), &[PROTOCOL]),
        ("an index of nothing", with(&[0x80]), &[COMPRESSION]),
        ("an index beyond the table", with(&[0xff, 0x7f]), &[COMPRESSION]),
        (
            "an index without an end",
            with(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            &[COMPRESSION],
        ),
        ("a text that is cut", with(&[0, 5, b'x']), &[COMPRESSION]),
        ("a code that is none", with(&[0, 0x84, 255, 255, 255, 255, 0]), &[COMPRESSION]),
        (
            "a table beyond its bound",
            headers(&[&[0x3f, 0xff, 0xff, 0x7f], &head()[..]].concat()),
            &[COMPRESSION],
        ),
    ]);
}

/// What no rule is about is passed over.
#[test]
fn what_nobody_knows_is_ignored() {
    for way in WAYS {
        let set = Set::echo(way);
        let mut raw = Raw::new(&set.door);
        raw.frame(0x77, 255, 0, b"what");
        raw.frame(0x77, 255, 1, b"what");
        raw.frame(SETTINGS, 0, 0, &[0x77, 0x77, 1, 2, 3, 4]);
        raw.frame(PRIORITY, 0, 9, &[0, 0, 0, 0, 1]);
        let head = raw.ask("GET", "/a", &[]);
        raw.headers(WHOLE, 1, &head);
        assert_eq!(raw.fate(1), Fate::Answered(200));
        // A stream that has ended may still hear late words.
        raw.frame(RESET, 0, 1, &8_u32.to_be_bytes());
        raw.frame(WINDOW, 0, 1, &[0, 0, 0, 1]);
        assert!(raw.answers(), "{way:?}");
        assert_eq!(set.end().requests.len(), 1);
    }
}

#[test]
fn a_stream_whose_window_is_too_large_is_reset() {
    for way in WAYS {
        let set = Set::echo(way);
        let mut raw = Raw::new(&set.door);
        let head = raw.ask("POST", "/a", &[]);
        raw.headers(END_HEADERS, 1, &head);
        raw.frame(WINDOW, 0, 1, &[127, 255, 255, 255]);
        let fate = raw.fate(1);
        assert!(matches!(fate, Fate::Reset(FLOW) | Fate::Away(FLOW)), "{way:?}: {fate:?}");
        assert_eq!(set.end().requests.len(), 0);
    }
}

#[test]
fn data_beyond_the_window_or_behind_the_end_is_refused() {
    const FRAME: usize = 16 * 1024;
    for way in WAYS {
        // Its server does not read, so that nothing makes room.
        let (over, wait) = crate::stage::signal();
        let set = Set::new(way, move |line| {
            let _ = line.reader.request_head();
            wait.lock().unwrap().recv().unwrap();
            line.reader.drain();
        });
        let mut raw = Raw::new(&set.door);
        let head = raw.ask("POST", "/a", &[]);
        raw.headers(END_HEADERS, 1, &head);
        for _ in 0..2048 {
            raw.frame(DATA, 0, 1, &[0; FRAME]);
        }
        let fate = raw.fate(1);
        assert!(matches!(fate, Fate::Reset(_) | Fate::Away(_) | Fate::Ended), "{fate:?}");
        over.send(()).unwrap();
        drop(raw);
        set.end();
        let set = Set::echo(way);
        let mut raw = Raw::new(&set.door);
        let head = raw.ask("GET", "/a", &[]);
        raw.headers(WHOLE, 1, &head);
        raw.frame(DATA, END_STREAM, 1, b"late");
        let fate = raw.fate(1);
        assert!(matches!(fate, Fate::Reset(_) | Fate::Away(_)), "{way:?}: {fate:?}");
        set.end();
    }
}

#[test]
fn a_beginning_that_is_none_ends_the_connection() {
    let rows: [(&str, Vec<u8>); 3] = [
        ("another preface", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec()),
        ("HTTP/3", b"PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("twice", [PREFACE, &frame(SETTINGS, 0, 0, &[]), PREFACE].concat()),
    ];
    for way in WAYS {
        for (name, sent) in &rows {
            let set = Set::echo(way);
            let mut raw = Raw::silent(&set.door);
            raw.send(sent);
            raw.drain();
            assert_eq!(set.end().requests.len(), 0, "{way:?} {name}");
        }
    }
}
