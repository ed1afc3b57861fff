//! Where a request ends: what two programs could read in two ways is refused, and nothing that hides in
//! a body ever arrives as a request.

use crate::stage::{Stage, get};
use crate::table::{Case, SMUGGLED, Want, case, check, passed};

/// A POST with these lines among its fields, and what follows them.
fn post(lines: &str, body: &str) -> Vec<u8> {
    format!("POST /first HTTP/1.1\r\nHost: shop.localhost\r\n{lines}\r\n{body}").into_bytes()
}

/// A chunked POST with this body.
fn chunked(body: &str) -> Vec<u8> {
    post("Transfer-Encoding: chunked\r\n", body)
}

#[test]
fn a_body_whose_end_is_told_in_two_ways_is_refused() {
    let rows: &[(&str, &str, u16)] = &[
        ("CL.TE", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", 400),
        ("TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", 400),
        ("CL of nothing, and TE", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400),
        ("CL, and a coding nobody knows", "Content-Length: 5\r\nTransfer-Encoding: x\r\n", 400),
        ("CL, and TE without a value", "Content-Length: 5\r\nTransfer-Encoding:\r\n", 400),
        ("chunked, chunked", "Transfer-Encoding: chunked, chunked\r\n", 400),
        ("chunked, identity", "Transfer-Encoding: chunked, identity\r\n", 400),
        ("identity, chunked", "Transfer-Encoding: identity, chunked\r\n", 400),
        ("gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n", 400),
        ("chunked, gzip", "Transfer-Encoding: chunked, gzip\r\n", 400),
        ("an empty member behind", "Transfer-Encoding: chunked,\r\n", 400),
        ("an empty member before", "Transfer-Encoding: ,chunked\r\n", 400),
        ("two equal TE", "Transfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n", 400),
        ("two TE, x first", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", 400),
        ("two TE, x last", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", 400),
        ("two TE, empty last", "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", 400),
        ("a space before the colon of TE", "Transfer-Encoding : chunked\r\n", 400),
        ("a tab before the colon of TE", "Transfer-Encoding\t: chunked\r\n", 400),
        ("a space before the name of TE", " Transfer-Encoding: chunked\r\n", 400),
        ("VT before the coding", "Transfer-Encoding: \u{b}chunked\r\n", 400),
        ("VT behind the coding", "Transfer-Encoding: chunked\u{b}\r\n", 400),
        ("FF before the coding", "Transfer-Encoding: \u{c}chunked\r\n", 400),
        ("NUL behind the coding", "Transfer-Encoding: chunked\0\r\n", 400),
        ("CR before the coding", "Transfer-Encoding: \rchunked\r\n", 400),
        ("LF before the name of TE", "X: y\nTransfer-Encoding: chunked\r\n", 400),
        ("CR before the name of TE", "X: y\rTransfer-Encoding: chunked\r\n", 400),
        ("a folded coding", "Transfer-Encoding:\r\n chunked\r\n", 400),
        ("a folded second line", "Transfer-Encoding: chunked\r\n , x\r\n", 400),
        ("TE with a control in its name", "Transfer-\u{1}Encoding: chunked\r\n", 400),
        ("xchunked", "Transfer-Encoding: xchunked\r\n", 501),
        ("chunkedx", "Transfer-Encoding: chunkedx\r\n", 501),
        ("quoted", "Transfer-Encoding: \"chunked\"\r\n", 501),
        ("with a parameter", "Transfer-Encoding: chunked;q=1\r\n", 501),
        ("identity", "Transfer-Encoding: identity\r\n", 501),
        ("gzip", "Transfer-Encoding: gzip\r\n", 501),
        ("no coding", "Transfer-Encoding:\r\n", 501),
        ("a no-break space", "Transfer-Encoding: \u{a0}chunked\r\n", 501),
        ("two CL that differ", "Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("two CL, nothing first", "Content-Length: 0\r\nContent-Length: 44\r\n", 400),
        ("two CL that agree", "Content-Length: 5\r\nContent-Length: 5\r\n", 400),
        ("a list of CL that differ", "Content-Length: 5, 6\r\n", 400),
        ("a list of CL that agree", "Content-Length: 5, 5\r\n", 400),
        ("CL with a plus", "Content-Length: +5\r\n", 400),
        ("CL with a minus", "Content-Length: -5\r\n", 400),
        ("CL in hex", "Content-Length: 0x5\r\n", 400),
        ("CL with a letter", "Content-Length: 5a\r\n", 400),
        ("CL with a point", "Content-Length: 5.0\r\n", 400),
        ("CL with an exponent", "Content-Length: 1e1\r\n", 400),
        ("CL with a space within", "Content-Length: 1 0\r\n", 400),
        ("CL with an underscore", "Content-Length: 1_0\r\n", 400),
        ("CL with a comma", "Content-Length: 5,\r\n", 400),
        ("CL quoted", "Content-Length: \"5\"\r\n", 400),
        ("CL without a value", "Content-Length:\r\n", 400),
        ("CL beyond 64 bits", "Content-Length: 18446744073709551621\r\n", 400),
        ("CL beyond reason", "Content-Length: 99999999999999999999999999\r\n", 400),
        ("CL in other digits", "Content-Length: \u{665}\r\n", 400),
        ("a space before the colon of CL", "Content-Length : 5\r\n", 400),
        ("a folded CL", "Content-Length:\r\n 5\r\n", 400),
        ("CL behind a NUL", "X: \0\r\nContent-Length: 5\r\n", 400),
    ];
    let refused = |(name, lines, status): &(&str, &str, u16)| {
        case(name, post(lines, &format!("0\r\n\r\n{SMUGGLED}")), Want::Refused(*status))
    };
    check(rows.iter().map(refused).collect());
}

#[test]
fn a_body_that_is_told_in_one_way_goes_up_as_it_is() {
    let length = SMUGGLED.len();
    let hidden = format!("POST /first {SMUGGLED}");
    let plain = |lines: &str| post(lines, SMUGGLED);
    let in_a_chunk = format!("{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n");
    let rows = vec![
        case("a length", plain(&format!("Content-Length: {length}\r\n")), passed(&[&hidden])),
        case(
            "zeros in front",
            plain(&format!("Content-Length: 000{length}\r\n")),
            passed(&[&hidden]),
        ),
        case(
            "blanks around",
            plain(&format!("Content-Length: \t {length} \t\r\n")),
            passed(&[&hidden]),
        ),
        case("no blank", plain(&format!("Content-Length:{length}\r\n")), passed(&[&hidden])),
        case("any case", plain(&format!("cOnTeNt-LeNgTh: {length}\r\n")), passed(&[&hidden])),
        case("a chunk", chunked(&in_a_chunk), passed(&[&hidden])),
        case(
            "any case of chunked",
            post("transfer-encoding: CHUNKED\r\n", &in_a_chunk),
            passed(&[&hidden]),
        ),
        case(
            "TE with blanks",
            post("Transfer-Encoding: \t chunked \t\r\n", &in_a_chunk),
            passed(&[&hidden]),
        ),
        case(
            "a name that only looks like TE",
            post(&format!("Transfer_Encoding: chunked\r\nContent-Length: {length}\r\n"), SMUGGLED),
            passed(&[&hidden]),
        ),
        case("no body", post("", SMUGGLED), passed(&["POST /first ", "GET /smuggled "])),
        case(
            "a length of nothing",
            post("Content-Length: 0\r\n", SMUGGLED),
            passed(&["POST /first ", "GET /smuggled "]),
        ),
        case(
            "GET with a body",
            format!(
                "GET /first HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}"
            ),
            passed(&[&format!("GET /first {SMUGGLED}")]),
        ),
        case(
            "one chunk and the next request",
            chunked(&format!("5\r\nhello\r\n0\r\n\r\n{SMUGGLED}")),
            passed(&["POST /first hello", "GET /smuggled "]),
        ),
    ];
    check(rows);
}

#[test]
fn chunks_are_what_the_grammar_says() {
    let rows: &[(&str, &str)] = &[
        ("a size in another base", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a plus", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a minus", "-5\r\nhello\r\n0\r\n\r\n"),
        ("a blank before", " 5\r\nhello\r\n0\r\n\r\n"),
        ("a blank within", "5 5\r\nhello\r\n0\r\n\r\n"),
        ("an underscore", "1_0\r\n0123456789abcdef\r\n0\r\n\r\n"),
        ("no size", "\r\nhello\r\n0\r\n\r\n"),
        ("an extension alone", ";x\r\nhello\r\n0\r\n\r\n"),
        ("not a digit", "g\r\nhello\r\n0\r\n\r\n"),
        ("beyond 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("LF behind the size", "5\nhello\r\n0\r\n\r\n"),
        ("CR behind the size", "5\rhello\r\n0\r\n\r\n"),
        ("CR CR LF behind the size", "5\r\r\nhello\r\n0\r\n\r\n"),
        ("NUL behind the size", "5\0\r\nhello\r\n0\r\n\r\n"),
        ("VT behind the size", "5\u{b}\r\nhello\r\n0\r\n\r\n"),
        ("LF behind the data", "5\r\nhello\n0\r\n\r\n"),
        ("CR behind the data", "5\r\nhello\r0\r\n\r\n"),
        ("nothing behind the data", "5\r\nhello0\r\n\r\n"),
        ("more data than was said", "5\r\nhello!\r\n0\r\n\r\n"),
        ("two bytes that are no line end", "5\r\nhelloXX0\r\n\r\n"),
        ("LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ("NUL in an extension", "5;a\0\r\nhello\r\n0\r\n\r\n"),
        ("LF in a quoted extension", "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"),
        ("an extension whose quote stays open", "5;a=\"\r\nhello\r\n0\r\n\r\n"),
        ("LF behind the last size", "0\n\r\n"),
        ("LF as the last line", "0\r\n\n"),
        ("LF behind a trailer", "0\r\nX: y\n\r\n"),
        ("CR in a trailer", "0\r\nX: a\rb\r\n\r\n"),
        ("NUL in a trailer", "0\r\nX: a\0b\r\n\r\n"),
        ("a trailer without a colon", "0\r\nX\r\n\r\n"),
        ("a blank before a trailer's colon", "0\r\nX : y\r\n\r\n"),
        ("a folded trailer", "0\r\nX: y\r\n z\r\n\r\n"),
        ("a trailer that is a request", "0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
    ];
    let refused = |(name, body): &(&str, &str)| {
        case(name, chunked(&format!("{body}{SMUGGLED}")), Want::Refused(400))
    };
    check(rows.iter().map(refused).collect());
}

#[test]
fn chunks_go_up_as_chunks_without_their_extensions() {
    let rows: &[(&str, &str, &str)] = &[
        ("one", "5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("several", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!"),
        ("none", "0\r\n\r\n", ""),
        ("zeros in front", "0005\r\nhello\r\n000\r\n\r\n", "hello"),
        ("upper case", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("an extension", "5;a=b\r\nhello\r\n0;c\r\n\r\n", "hello"),
        ("a quoted extension", "5;a=\"b;\\\"c\"\r\nhello\r\n0\r\n\r\n", "hello"),
        ("blanks before an extension", "5 ;a\r\nhello\r\n0\r\n\r\n", "hello"),
        ("a trailer", "5\r\nhello\r\n0\r\nX: y\r\n\r\n", "hello"),
        ("line ends in the data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
    ];
    let through = |(name, body, want): &(&str, &str, &str)| {
        case(name, chunked(body), passed(&[&format!("POST /first {want}")]))
    };
    check(rows.iter().map(through).collect());
}

#[test]
fn a_head_is_lines_and_nothing_else() {
    let rows: &[(&str, &[u8], u16)] = &[
        ("LF behind the request line", b"GET /a HTTP/1.1\nHost: shop.localhost\r\n\r\n", 400),
        ("LF behind a field", b"GET /a HTTP/1.1\r\nHost: shop.localhost\n\r\n", 400),
        ("LF as the empty line", b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\n\n", 400),
        ("LF before the request line", b"\nGET /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("CR behind the request line", b"GET /a HTTP/1.1\rHost: shop.localhost\r\n\r\n", 400),
        ("CR CR LF", b"GET /a HTTP/1.1\r\r\nHost: shop.localhost\r\n\r\n", 400),
        ("CR in a field", b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX: a\rb\r\n\r\n", 400),
        ("LF in a field", b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX: a\nB: c\r\n\r\n", 400),
        ("NUL in a field", b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX: a\0b\r\n\r\n", 400),
        ("NUL in a name", b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX\0: a\r\n\r\n", 400),
        ("NUL in the target", b"GET /a\0b HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("NUL in the method", b"G\0T /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        (
            "a control in a field",
            b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX: \x01\r\n\r\n",
            400,
        ),
        ("DEL in a field", b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX: \x7f\r\n\r\n", 400),
        ("a line without a colon", b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX\r\n\r\n", 400),
        ("a field without a name", b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\n: x\r\n\r\n", 400),
        ("a blank in a name", b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX Y: x\r\n\r\n", 400),
        (
            "a blank before a colon",
            b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX : x\r\n\r\n",
            400,
        ),
        ("a folded line", b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX: a\r\n b\r\n\r\n", 400),
        (
            "a line folded by a tab",
            b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX: a\r\n\tb\r\n\r\n",
            400,
        ),
        ("a first field that is folded", b"GET /a HTTP/1.1\r\n Host: shop.localhost\r\n\r\n", 400),
        ("a folded request line", b"GET /a\r\n HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        (
            "letters that are no ASCII in a name",
            b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\n\xc3\xa4: x\r\n\r\n",
            400,
        ),
        (
            "a parenthesis in a name",
            b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX(: x\r\n\r\n",
            400,
        ),
        ("HTTP/0.9", b"GET /a\r\n\r\n", 400),
        ("HTTP/0.9 with a version", b"GET /a HTTP/0.9\r\nHost: shop.localhost\r\n\r\n", 400),
        ("HTTP/1.2", b"GET /a HTTP/1.2\r\nHost: shop.localhost\r\n\r\n", 400),
        ("HTTP/1.10", b"GET /a HTTP/1.10\r\nHost: shop.localhost\r\n\r\n", 400),
        ("HTTP/1", b"GET /a HTTP/1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("HTTP/2.0", b"GET /a HTTP/2.0\r\nHost: shop.localhost\r\n\r\n", 400),
        ("HTTP/3", b"GET /a HTTP/3\r\nHost: shop.localhost\r\n\r\n", 400),
        ("http in small letters", b"GET /a http/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("another protocol", b"GET /a ICY/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("a blank in the version", b"GET /a HTTP/1. 1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("a blank behind the version", b"GET /a HTTP/1.1 \r\nHost: shop.localhost\r\n\r\n", 400),
        ("a blank in the target", b"GET /a b HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("a tab for a blank", b"GET\t/a\tHTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("no method", b" /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("no target", b"GET  HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("a method that is no token", b"GE(T /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", 400),
    ];
    let refused = |(name, head, status): &(&str, &[u8], u16)| {
        case(name, [head, SMUGGLED.as_bytes()].concat(), Want::Refused(*status))
    };
    check(rows.iter().map(refused).collect());
}

#[test]
fn what_is_unusual_and_clear_goes_on() {
    let ask = |head: &str| format!("{head}\r\n\r\n").into_bytes();
    let mut rows = vec![
        case(
            "a blank line before",
            "\r\nGET /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
            passed(&["GET /a "]),
        ),
        case(
            "four blank lines before",
            format!("{}{}", "\r\n".repeat(4), get("/a")),
            passed(&["GET /a "]),
        ),
        case("small letters", ask("get /a HTTP/1.1\r\nHost: shop.localhost"), passed(&["get /a "])),
        case(
            "a method of its own",
            ask("BREW /a HTTP/1.1\r\nHost: shop.localhost"),
            passed(&["BREW /a "]),
        ),
        case(
            "blanks around a value",
            ask("GET /a HTTP/1.1\r\nHost: \t shop.localhost \t"),
            passed(&["GET /a "]),
        ),
        case(
            "no blank before a value",
            ask("GET /a HTTP/1.1\r\nHost:shop.localhost"),
            passed(&["GET /a "]),
        ),
        case(
            "an empty field",
            ask("GET /a HTTP/1.1\r\nHost: shop.localhost\r\nX:"),
            passed(&["GET /a "]),
        ),
        case("HTTP/1.0", ask("GET /a HTTP/1.0\r\nHost: shop.localhost"), passed(&["GET /a "])),
        case(
            "three at once",
            [get("/1"), get("/2"), get("/3")].concat(),
            passed(&["GET /1 ", "GET /2 ", "GET /3 "]),
        ),
        case(
            "blank lines between",
            [get("/1"), get("/2")].join("\r\n"),
            passed(&["GET /1 ", "GET /2 "]),
        ),
        case(
            "the last says close",
            [get("/1"), get("/2").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"), get("/3")]
                .concat(),
            passed(&["GET /1 ", "GET /2 "]),
        ),
    ];
    let fields: String = (0..150).map(|n| format!("X-{n}: {n}\r\n")).collect();
    rows.push(case(
        "150 fields",
        ask(&format!("GET /a HTTP/1.1\r\nHost: shop.localhost\r\n{fields}X: y")),
        passed(&["GET /a "]),
    ));
    check(rows);
}

#[test]
fn a_bad_request_behind_a_good_one_is_refused_and_the_good_one_answered() {
    for bad in [
        "GET /bad HTTP/1.1\r\nHost: shop.localhost\r\nX : y\r\n\r\n",
        "GET /bad HTTP/1.1\r\n\r\n",
        "GET /bad\r\n\r\n",
        "POST /bad HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let stage = Stage::echo();
        let mut client = stage.client();
        client.send([&get("/good"), bad, SMUGGLED].concat());
        let (answers, _) = client.answers("GET");
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status()).collect();
        assert_eq!(statuses, [200, 400], "{bad:?}");
        assert_eq!(stage.end().asked(), ["GET /good"], "{bad:?}");
    }
}

/// Whatever is cut off never becomes a request: the server hears that it was cut.
#[test]
fn a_request_that_stops_in_the_middle_never_arrives_whole() {
    let whole = post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nX: y\r\n\r\n");
    let sized = post("Content-Length: 5\r\n", "hello");
    for text in [&whole, &sized] {
        for end in 0..text.len() {
            let stage = Stage::echo();
            let mut client = stage.client();
            client.send(&text[..end]);
            client.finish();
            client.reader.drain();
            let log = stage.end();
            let sent = text[..end].escape_ascii();
            assert!(log.requests.is_empty(), "{sent}: {:?}", log.requests);
        }
    }
}

/// The same in whatever pieces it comes.
#[test]
fn a_request_in_single_bytes_is_a_request() {
    let rows: Vec<Case> =
        Vec::from([case("chunked", chunked("5;x\r\nhello\r\n0\r\n\r\n"), passed(&[]))]);
    for row in rows {
        let stage = Stage::echo();
        let mut client = stage.client();
        for byte in &row.sent {
            client.send([*byte]);
        }
        assert_eq!(client.answer("POST").text(), "POST /first");
        assert_eq!(stage.end().requests[0].text(), "hello");
    }
}
