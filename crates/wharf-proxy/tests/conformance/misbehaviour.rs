//! Servers that answer badly: nobody gets another's answer, and nothing broken looks whole.

use rustix::net::sockopt::set_socket_linger;

use crate::stage::{Fault, HOST, Line, Message, Stage, get, route, signal};

/// What a client must see of a bad answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// The proxy's own word that the answer is none.
    BadGateway,
    /// The beginning, and then an end that is not clean.
    Cut,
    /// One of the two: how much has arrived when the fault is seen is a matter of luck.
    Either,
    /// A whole answer; what came with it is not for anybody.
    Whole,
}
use Want::{BadGateway, Cut, Either, Whole};

/// How the server ends the connection of its bad answer.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It does not: it goes on to answer what comes.
    Stays,
    Closes,
    Resets,
}
use End::{Closes, Resets, Stays};

/// How many requests look for what a bad answer left behind.
const FRESH: usize = 6;

/// The answer that nobody asked for.
const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

fn end(line: &mut Line, end: End) {
    match end {
        Stays => line.echo(),
        Closes => {}
        Resets => set_socket_linger(&line.stream, Some(std::time::Duration::ZERO)).unwrap(),
    }
}

/// Gets a bad answer on one connection, and looks what has become of the others.
fn run(name: &str, method: &str, answer: Vec<u8>, ending: End, want: Want) -> Result<(), String> {
    let sent = answer.escape_ascii().to_string();
    let stage = Stage::new(move |line| {
        if line.number > 0 {
            return line.echo();
        }
        line.request();
        line.send(&answer);
        end(line, ending);
    });
    let mut client = stage.client();
    client.send(format!("{method} /bad HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"));
    let got = client.reader.answer(method);
    let fits = match (want, &got) {
        (BadGateway | Either, Ok(answer)) => {
            answer.status() == 502 && answer.text().contains("why:")
        }
        (Whole, Ok(answer)) => answer.status() != 502 && !answer.text().contains("poison"),
        (Cut | Either, Err(Fault::Cut)) => true,
        _ => false,
    };
    let mut texts = Vec::new();
    for number in 0..FRESH {
        // The first on the same connection, as long as it is one.
        let fresh = match (number, want) {
            (0, BadGateway | Whole) => client.get("/fresh/0"),
            _ => stage.client().get(&format!("/fresh/{number}")),
        };
        texts.push(fresh.text());
    }
    let log = stage.end();
    let own =
        texts.iter().enumerate().all(|(number, text)| *text == format!("GET /fresh/{number}"));
    let once = log.asked().iter().filter(|asked| asked.ends_with("/bad")).count() == 1;
    // What follows is a matter of luck on a connection that has gone wrong.
    let left = log.connections > 1;
    match fits && own && once && left {
        true => Ok(()),
        false => Err(format!(
            "- {name}: want {want:?}\n  the server sent: {:.300}\n  the client got: {got:?}\n  then: {texts:?}\n  the server saw: {:?}",
            sent,
            log.asked()
        )),
    }
}

type Row<'a> = (&'a str, &'a str, End, Want);

fn check(method: &str, rows: &[Row<'_>]) {
    let run = |(name, answer, end, want): &Row<'_>| {
        run(name, method, answer.as_bytes().to_vec(), *end, *want).err()
    };
    let failures: Vec<String> = rows.iter().filter_map(run).collect();
    assert!(failures.is_empty(), "{} of {}\n{}", failures.len(), rows.len(), failures.join("\n"));
}

#[test]
pub(crate) fn an_answer_whose_end_is_told_in_two_ways_is_none() {
    let lines = [
        ("CL and TE", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
        ("TE and CL", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"),
        ("two CL", "Content-Length: 2\r\nContent-Length: 3\r\n"),
        ("two equal CL", "Content-Length: 2\r\nContent-Length: 2\r\n"),
        ("a list of CL", "Content-Length: 2, 2\r\n"),
        ("a CL below nothing", "Content-Length: -2\r\n"),
        ("a CL with a sign", "Content-Length: +2\r\n"),
        ("a CL in hex", "Content-Length: 0x2\r\n"),
        ("a CL beyond reason", "Content-Length: 99999999999999999999\r\n"),
        ("an empty CL", "Content-Length:\r\n"),
        ("two codings", "Transfer-Encoding: chunked, chunked\r\n"),
        ("two TE", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        ("a coding nobody asked for", "Transfer-Encoding: gzip, chunked\r\n"),
        ("gzip", "Transfer-Encoding: gzip\r\n"),
        ("identity", "Transfer-Encoding: identity\r\n"),
        ("a blank before the colon", "Transfer-Encoding : chunked\r\n"),
        ("a folded field", "Transfer-Encoding:\r\n chunked\r\n"),
    ];
    for method in ["GET", "POST"] {
        let texts = lines.map(|(name, lines)| {
            (name, format!("HTTP/1.1 200 OK\r\n{lines}\r\n0\r\n\r\n{POISON}"))
        });
        let rows: Vec<Row<'_>> =
            texts.iter().map(|(name, text)| (*name, text.as_str(), Stays, BadGateway)).collect();
        check(method, &rows);
    }
}

#[test]
pub(crate) fn a_head_that_is_no_head_is_told_as_such() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: yyyyyyyyyyyyyy\r\n".repeat(10_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(201));
    check(
        "GET",
        &[
            ("garbage", "garbage\r\n\r\n", Stays, BadGateway),
            ("garbage without an end", "garbage", Closes, BadGateway),
            ("a page alone", "<!doctype html><p>hi</p>\n\n", Closes, BadGateway),
            ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", Stays, BadGateway),
            ("HTTP/2", "HTTP/2 200 OK\r\n\r\n", Stays, BadGateway),
            ("HTTP/1.2", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", Stays, BadGateway),
            ("no version", "200 OK\r\nContent-Length: 0\r\n\r\n", Stays, BadGateway),
            (
                "a status of two digits",
                "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
                Stays,
                BadGateway,
            ),
            (
                "a status of four",
                "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
                Stays,
                BadGateway,
            ),
            (
                "a status below 100",
                "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
                Stays,
                BadGateway,
            ),
            (
                "a status of letters",
                "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
                Stays,
                BadGateway,
            ),
            ("NUL", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n", Stays, BadGateway),
            ("CR", "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n", Stays, BadGateway),
            ("no colon", "HTTP/1.1 200 OK\r\nX\r\nContent-Length: 0\r\n\r\n", Stays, BadGateway),
            (
                "a blank in a name",
                "HTTP/1.1 200 OK\r\nX y: 1\r\nContent-Length: 0\r\n\r\n",
                Stays,
                BadGateway,
            ),
            (
                "folded",
                "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
                Stays,
                BadGateway,
            ),
            ("too long", &long, Stays, BadGateway),
            ("without an end", &endless, Stays, BadGateway),
            ("too many fields", &many, Stays, BadGateway),
        ],
    );
}

#[test]
pub(crate) fn a_head_that_breaks_off_or_means_something_else_is_told_as_such() {
    check(
        "GET",
        &[
            (
                "101 that nobody asked for",
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
                Stays,
                BadGateway,
            ),
            ("the end before the head", "", Closes, BadGateway),
            ("a reset before the head", "", Resets, BadGateway),
            ("the end in the status line", "HTTP/1.1 2", Closes, BadGateway),
            ("the end in a field", "HTTP/1.1 200 OK\r\nContent-Le", Closes, BadGateway),
            (
                "the end before the empty line",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
                Closes,
                BadGateway,
            ),
            ("a reset in the head", "HTTP/1.1 200 OK\r\nContent-Le", Resets, BadGateway),
            ("the end behind an interim answer", "HTTP/1.1 200", Closes, BadGateway),
            (
                "chunks in HTTP/1.0",
                "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                Stays,
                BadGateway,
            ),
        ],
    );
}

#[test]
pub(crate) fn what_breaks_off_never_looks_whole() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let texts = [
        ("in a body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_owned(), Closes),
        ("before a body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".to_owned(), Closes),
        (
            "by a reset in a body",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_owned(),
            Resets,
        ),
        ("before the first chunk", chunked.to_owned(), Closes),
        ("in a chunk", format!("{chunked}a\r\nhello"), Closes),
        ("by a reset in a chunk", format!("{chunked}a\r\nhello"), Resets),
        ("in a size", format!("{chunked}5\r\nhello\r\n1"), Closes),
        ("behind a size", format!("{chunked}5\r\nhello\r\n1\r\n"), Closes),
        ("behind a chunk", format!("{chunked}5\r\nhello\r\n"), Closes),
        ("in the end of a chunk", format!("{chunked}5\r\nhello\r"), Closes),
        ("before the last line", format!("{chunked}5\r\nhello\r\n0\r\n"), Closes),
        ("in a trailer", format!("{chunked}5\r\nhello\r\n0\r\nX: y"), Closes),
        ("behind a trailer", format!("{chunked}5\r\nhello\r\n0\r\nX: y\r\n"), Closes),
        ("by a reset where an end would do", "HTTP/1.1 200 OK\r\n\r\nhello".to_owned(), Resets),
    ];
    let rows: Vec<Row<'_>> =
        texts.iter().map(|(name, text, end)| (*name, text.as_str(), *end, Cut)).collect();
    check("GET", &rows);
}

#[test]
pub(crate) fn chunks_that_are_none_end_the_answer_at_once() {
    let extensions = format!("1;{}\r\nx\r\n", "e".repeat(4000)).repeat(17);
    let line = format!("5;{}\r\nhello\r\n0\r\n\r\n", "e".repeat(4100));
    let trailers = format!("0\r\nX: {}\r\n\r\n", "e".repeat(17 * 1024));
    let bodies = [
        ("a sign", "-5\r\nhello\r\n0\r\n\r\n"),
        ("another base", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a blank within", "5 5\r\nhello\r\n0\r\n\r\n"),
        ("no size", "\r\nhello\r\n0\r\n\r\n"),
        ("beyond 64 bits", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("LF behind the size", "5\nhello\r\n0\r\n\r\n"),
        ("LF behind the data", "5\r\nhello\n0\r\n\r\n"),
        ("nothing behind the data", "5\r\nhello0\r\n\r\n"),
        ("more data than was said", "5\r\nhello!\r\n0\r\n\r\n"),
        ("NUL in an extension", "5;\0\r\nhello\r\n0\r\n\r\n"),
        ("LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("LF as the last line", "0\r\n\n"),
        ("a trailer without a colon", "0\r\nX\r\n\r\n"),
        ("a folded trailer", "0\r\nX: y\r\n z\r\n\r\n"),
        ("a line too long", &line),
        ("too many extensions", &extensions),
        ("trailers too long", &trailers),
    ];
    let texts = bodies.map(|(name, body)| {
        (name, format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}{POISON}"))
    });
    let rows: Vec<Row<'_>> =
        texts.iter().map(|(name, text)| (*name, text.as_str(), Stays, Either)).collect();
    check("GET", &rows);
}

/// The same where the client has already had a part of the body.
#[test]
pub(crate) fn a_chunk_that_is_none_behind_a_good_one_ends_the_answer() {
    for bad in ["-5\r\nhello\r\n", "5\nhello\r\n", "5\r\nhello0\r\n", "0\r\nX\r\n\r\n"] {
        let (go, gone) = signal();
        let stage = Stage::new(move |line| {
            if line.number > 0 {
                return line.echo();
            }
            line.request();
            line.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n");
            gone.lock().unwrap().recv().unwrap();
            line.send(bad);
            line.echo();
        });
        let mut client = stage.client();
        client.send(get("/bad"));
        assert_eq!(client.reader.head().unwrap().status(), 200);
        assert_eq!(client.reader.chunk(), Ok(Some(b"good".to_vec())));
        go.send(()).unwrap();
        assert_eq!(client.reader.chunk(), Err(Fault::Cut), "{bad:?}");
        assert_eq!(stage.client().get("/next").text(), "GET /next");
    }
}

/// HTTP/1.0 has no end but the end of the connection.
#[test]
pub(crate) fn what_breaks_off_is_cut_off_for_http_1_0_too() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (answer, ending) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_owned(), Closes),
        ("HTTP/1.1 200 OK\r\n\r\nhello".to_owned(), Resets),
        (format!("{chunked}5\r\nhello\r\n"), Closes),
        (format!("{chunked}5\r\nhello\r\n0\r\n"), Closes),
        (format!("{chunked}a\r\nhello"), Resets),
    ] {
        let sent = answer.clone();
        let stage = Stage::new(move |line| {
            line.request();
            line.send(&sent);
            end(line, ending);
        });
        let mut client = stage.client();
        client.send("GET /bad HTTP/1.0\r\nHost: shop.localhost\r\n\r\n");
        let got = client.reader.answer("GET");
        let told = got.as_ref().is_ok_and(|answer| answer.status() == 502);
        assert!(told || got == Err(Fault::Cut), "{answer:?}: {got:?}");
    }
}

#[test]
pub(crate) fn what_follows_an_answer_is_for_nobody() {
    let heads = [
        ("a body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        ("no body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
        ("trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n"),
        ("204", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 54\r\n\r\n"),
        ("304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 54\r\n\r\n"),
        (
            "an interim answer",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
        ),
    ];
    for behind in [POISON, "x", "\r\n", "\0"] {
        let texts = heads.map(|(name, head)| (name, format!("{head}{behind}")));
        let rows: Vec<Row<'_>> =
            texts.iter().map(|(name, text)| (*name, text.as_str(), Stays, Whole)).collect();
        check("GET", &rows);
    }
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{POISON}", POISON.len());
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{POISON}");
    check(
        "HEAD",
        &[("HEAD, and a body", &head, Stays, Whole), ("HEAD, and chunks", &chunked, Stays, Whole)],
    );
}

/// The body of a 204 that comes later than its head is no more an answer than one that comes with it.
#[test]
pub(crate) fn a_connection_whose_answer_announces_what_cannot_be_is_not_used_again() {
    for lines in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        let stage = Stage::new(move |line| {
            if line.request().is_some() {
                line.send(format!("HTTP/1.1 204 No Content\r\n{lines}\r\n"));
                line.echo();
            }
        });
        let mut client = stage.client();
        assert_eq!(client.get("/bad").status(), 204);
        client.send("GET /next HTTP/1.1\r\nHost: shop.localhost\r\n\r\n");
        client.answer("GET");
        assert_eq!(stage.end().connections, 2, "{lines:?}");
    }
}

/// Whatever comes on a connection that nobody uses was asked for by nobody.
#[test]
pub(crate) fn an_answer_without_a_request_is_for_nobody() {
    let stage = Stage::new(|line| {
        if line.number == 0 && line.request().is_some() {
            line.answer("first");
            line.send(POISON);
            line.finish();
        }
        line.echo();
    });
    assert_eq!(stage.client().get("/first").text(), "first");
    let later: Vec<String> =
        (0..FRESH).map(|n| stage.client().get(&format!("/{n}")).text()).collect();
    let own: Vec<String> = (0..FRESH).map(|n| format!("GET /{n}")).collect();
    assert_eq!(later, own);
}

#[test]
pub(crate) fn an_answer_before_its_request_shifts_nothing() {
    let stage = Stage::new(|line| {
        if line.number == 0 {
            line.answer("early");
            if let Ok(request) = line.reader.request() {
                line.answer(&format!("late {}", request.target()));
                line.note(Ok(request));
            }
        }
        line.echo();
    });
    let first = stage.client().get("/first").text();
    assert!(first == "early" || first == "late /first", "{first}");
    stage.upstream.wait("the late answer", |log| !log.requests.is_empty());
    for number in 0..FRESH {
        assert_eq!(stage.client().get(&format!("/{number}")).text(), format!("GET /{number}"));
    }
}

/// A server that hears a second request on a connection and is gone without a word.
fn goes_at_the_second(line: &mut Line) {
    if line.request().is_some() {
        line.answer("first");
        if line.request().is_some() && line.number > 0 {
            line.answer("second");
        }
    }
}

#[test]
pub(crate) fn what_may_be_asked_twice_is_asked_twice_when_an_idle_connection_has_ended() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        let stage = Stage::new(goes_at_the_second);
        let mut client = stage.client();
        client.get("/a");
        client.send(format!("{method} /b HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"));
        assert_eq!(client.answer(method).status(), 200, "{method}");
        let again = format!("{method} /b");
        assert_eq!(stage.end().asked(), ["GET /a".to_owned(), again.clone(), again]);
    }
}

#[test]
pub(crate) fn what_may_not_be_asked_twice_never_is() {
    for (method, lines, body) in [
        ("POST", "", ""),
        ("POST", "Content-Length: 2\r\n", "hi"),
        ("POST", "Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"),
        ("PUT", "Content-Length: 2\r\n", "hi"),
        ("PATCH", "Content-Length: 2\r\n", "hi"),
        ("DELETE", "", ""),
        ("BREW", "", ""),
        ("get", "", ""),
        ("GET", "Content-Length: 2\r\n", "hi"),
    ] {
        let stage = Stage::new(goes_at_the_second);
        let mut client = stage.client();
        client.get("/a");
        client.send(format!("{method} /b HTTP/1.1\r\nHost: shop.localhost\r\n{lines}\r\n{body}"));
        assert_eq!(client.answer(method).status(), 502, "{method} {lines:?}");
        let log = stage.end();
        assert_eq!(log.asked(), ["GET /a".to_owned(), format!("{method} /b")]);
        assert_eq!(log.connections, 1);
    }
}

/// An instance of wharf's that is restarted may take a connection and be gone.
#[test]
pub(crate) fn an_instance_that_takes_a_connection_and_is_gone_is_asked_again_and_not_for_ever() {
    for (gone, method, status, connections) in
        [(2, "GET", 200, 3), (9, "GET", 502, 3), (1, "POST", 502, 1)]
    {
        let stage = Stage::new(move |line: &mut Line| {
            if line.request().is_some() && line.number >= gone {
                line.answer("back");
            }
        });
        let mut route = route(HOST, stage.upstream.address);
        route.upstream.instance = Some("id".into());
        stage.house.set([route]);
        let mut client = stage.client();
        client.send(format!("{method} /b HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"));
        assert_eq!(client.answer(method).status(), status, "{method} {gone}");
        assert_eq!(stage.end().connections, connections, "{method} {gone}");
    }
}

#[test]
pub(crate) fn a_request_is_asked_again_once_and_not_for_ever() {
    let stage = Stage::new(|line| {
        while line.request().is_some_and(|request| request.target() != "/die") {
            line.answer("alive");
        }
    });
    let mut client = stage.client();
    client.get("/a");
    client.send("GET /die HTTP/1.1\r\nHost: shop.localhost\r\n\r\n");
    assert_eq!(client.answer("GET").status(), 502);
    assert_eq!(client.get("/b").text(), "alive", "the client's connection goes on");
    assert_eq!(stage.end().asked(), ["GET /a", "GET /die", "GET /die", "GET /b"]);
}

#[test]
pub(crate) fn a_connection_that_the_server_has_closed_is_not_used() {
    let stage = Stage::new(|line| {
        if line.request().is_some() {
            line.answer("once");
        }
    });
    let mut client = stage.client();
    for number in 1..=5 {
        client.send("POST /a HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(client.answer("POST").text(), "once");
        stage.upstream.wait("the end of the connection", |log| log.raw.len() == number);
    }
    assert_eq!(stage.end().requests.len(), 5);
}

/// What the server says, whether its end ends the body, and how many connections two requests take.
#[test]
pub(crate) fn servers_of_http_1_0_are_understood() {
    for (head, closes, connections) in [
        ("HTTP/1.0 200 OK\r\n\r\nhi", true, 2),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", true, 2),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false, 2),
        ("HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhi", true, 2),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", false, 1),
        ("HTTP/1.1 200 OK\r\n\r\nhi", true, 2),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi", true, 2),
        ("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", false, 1),
        ("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", false, 1),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", false, 1),
        ("HTTP/1.1 299 Own\r\nContent-Length: 2\r\n\r\nhi", false, 1),
        ("HTTP/1.1 799 Own\r\nContent-Length: 2\r\n\r\nhi", false, 1),
    ] {
        let stage = Stage::new(move |line| {
            while line.request().is_some() {
                line.send(head);
                if closes {
                    return;
                }
            }
        });
        let mut client = stage.client();
        let answers: Vec<Message> = (0..2).map(|_| client.get("/a")).collect();
        let texts: Vec<String> = answers.iter().map(Message::text).collect();
        assert_eq!(texts, ["hi", "hi"], "{head:?}");
        assert!(answers.iter().all(|answer| answer.all("connection").is_empty()), "{head:?}");
        assert_eq!(stage.end().connections, connections, "{head:?}");
    }
}
