//! What a request is for: which server, by which name; and what is for no server at all.

use crate::stage::Stage;
use crate::table::{SMUGGLED, Want, case, check, passed};

#[test]
fn one_name_and_only_one() {
    let rows: &[(&str, &str, u16)] = &[
        ("no Host", "GET /a HTTP/1.1\r\n\r\n", 400),
        ("no Host, HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n", 400),
        (
            "two equal Hosts",
            "GET /a HTTP/1.1\r\nHost: shop.localhost\r\nHost: shop.localhost\r\n\r\n",
            400,
        ),
        ("two Hosts", "GET /a HTTP/1.1\r\nHost: shop.localhost\r\nHost: evil.example\r\n\r\n", 400),
        (
            "two Hosts, the other way",
            "GET /a HTTP/1.1\r\nHost: evil.example\r\nHost: shop.localhost\r\n\r\n",
            400,
        ),
        ("an empty Host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", 400),
        (
            "two names in one Host",
            "GET /a HTTP/1.1\r\nHost: shop.localhost, evil.example\r\n\r\n",
            400,
        ),
        (
            "two names with a blank",
            "GET /a HTTP/1.1\r\nHost: shop.localhost evil.example\r\n\r\n",
            400,
        ),
        ("a user name", "GET /a HTTP/1.1\r\nHost: evil@shop.localhost\r\n\r\n", 400),
        ("a path", "GET /a HTTP/1.1\r\nHost: shop.localhost/b\r\n\r\n", 400),
        ("a query", "GET /a HTTP/1.1\r\nHost: shop.localhost?b\r\n\r\n", 400),
        ("a fragment", "GET /a HTTP/1.1\r\nHost: shop.localhost#b\r\n\r\n", 400),
        ("a scheme", "GET /a HTTP/1.1\r\nHost: http://shop.localhost\r\n\r\n", 400),
        ("a percent escape", "GET /a HTTP/1.1\r\nHost: sh%6fp.localhost\r\n\r\n", 400),
        ("a backslash", "GET /a HTTP/1.1\r\nHost: shop.localhost\\\r\n\r\n", 400),
        ("letters that are no ASCII", "GET /a HTTP/1.1\r\nHost: sh\u{f6}p.localhost\r\n\r\n", 400),
        ("an empty port", "GET /a HTTP/1.1\r\nHost: shop.localhost:\r\n\r\n", 400),
        ("a port with a letter", "GET /a HTTP/1.1\r\nHost: shop.localhost:80a\r\n\r\n", 400),
        ("a port with a sign", "GET /a HTTP/1.1\r\nHost: shop.localhost:+80\r\n\r\n", 400),
        ("a negative port", "GET /a HTTP/1.1\r\nHost: shop.localhost:-80\r\n\r\n", 400),
        ("a port with a zero in front", "GET /a HTTP/1.1\r\nHost: shop.localhost:080\r\n\r\n", 400),
        ("port 0", "GET /a HTTP/1.1\r\nHost: shop.localhost:0\r\n\r\n", 400),
        ("a port beyond 16 bits", "GET /a HTTP/1.1\r\nHost: shop.localhost:65616\r\n\r\n", 400),
        ("two ports", "GET /a HTTP/1.1\r\nHost: shop.localhost:80:80\r\n\r\n", 400),
        ("a port before the name", "GET /a HTTP/1.1\r\nHost: :80\r\n\r\n", 400),
        (
            "an address of the sixth kind without brackets",
            "GET /a HTTP/1.1\r\nHost: ::1\r\n\r\n",
            400,
        ),
        ("brackets that stay open", "GET /a HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
        ("brackets around a name", "GET /a HTTP/1.1\r\nHost: [shop.localhost]\r\n\r\n", 400),
    ];
    let refused = |(name, head, status): &(&str, &str, u16)| {
        case(name, format!("{head}{SMUGGLED}"), Want::Refused(*status))
    };
    check(rows.iter().map(refused).collect());
}

#[test]
fn a_target_is_a_path_or_a_url_of_a_name_that_is_served() {
    let rows: &[(&str, &str, u16)] = &[
        (
            "a user name",
            "GET http://u@shop.localhost/ HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
            400,
        ),
        (
            "a user name and a password",
            "GET http://u:p@shop.localhost/ HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
            400,
        ),
        (
            "a name before an at",
            "GET http://shop.localhost@evil.example/ HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
            400,
        ),
        ("no name", "GET http:///a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        (
            "another scheme",
            "GET ftp://shop.localhost/ HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
            400,
        ),
        ("file", "GET file:///etc/passwd HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        (
            "a scheme with one slash",
            "GET http:/shop.localhost HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
            400,
        ),
        (
            "a query without a path",
            "GET http://shop.localhost?a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
            400,
        ),
        (
            "a bad port",
            "GET http://shop.localhost:x/ HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
            400,
        ),
        ("a fragment", "GET /a#b HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        (
            "a fragment in a URL",
            "GET http://shop.localhost/a#b HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
            400,
        ),
        ("a relative path", "GET a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("a query alone", "GET ?a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("a backslash", "GET \\a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        ("an authority", "GET shop.localhost:80 HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 400),
        (
            "a URL and a Host that is none",
            "GET http://shop.localhost/ HTTP/1.1\r\nHost: a b\r\n\r\n",
            400,
        ),
        (
            "a URL and two Hosts",
            "GET http://shop.localhost/ HTTP/1.1\r\nHost: shop.localhost\r\nHost: a\r\n\r\n",
            400,
        ),
        ("a URL and no Host", "GET http://shop.localhost/ HTTP/1.1\r\n\r\n", 400),
    ];
    let refused = |(name, head, status): &(&str, &str, u16)| {
        case(name, format!("{head}{SMUGGLED}"), Want::Refused(*status))
    };
    check(rows.iter().map(refused).collect());
}

#[test]
fn a_url_selects_a_route_and_a_path_stays_what_it_is() {
    let ask = |target: &str, host: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    check(vec![
        case("a URL", ask("http://shop.localhost/a?b", "shop.localhost"), passed(&["GET /a?b "])),
        case(
            "a URL in capitals",
            ask("HTTP://SHOP.localhost/a", "shop.localhost"),
            passed(&["GET /a "]),
        ),
        case(
            "a URL without a path",
            ask("http://shop.localhost", "shop.localhost"),
            passed(&["GET / "]),
        ),
        case(
            "a URL before a foreign Host",
            ask("http://shop.localhost/a", "evil.example"),
            passed(&["GET /a "]),
        ),
        case(
            "HTTP/1.0, a URL and no Host",
            "GET http://shop.localhost/a HTTP/1.0\r\n\r\n",
            passed(&["GET /a "]),
        ),
        case(
            "a path that is kept",
            ask("//a/../%2e%2e/./b;c?d=/%2F&e", "shop.localhost"),
            passed(&["GET //a/../%2e%2e/./b;c?d=/%2F&e "]),
        ),
        case("a Host in capitals", ask("/a", "SHOP.LocalHost"), passed(&["GET /a "])),
    ]);
}

/// What is refused and leaves no doubt where the next request begins keeps its connection.
#[test]
fn what_is_for_no_server_is_not_passed_on() {
    for (name, head, status) in [
        ("CONNECT", "CONNECT shop.localhost:80 HTTP/1.1\r\nHost: shop.localhost:80\r\n\r\n", 405),
        (
            "CONNECT elsewhere",
            "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
            405,
        ),
        ("CONNECT with a path", "CONNECT / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 405),
        ("connect", "connect / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 405),
        ("TRACE", "TRACE /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 405),
        ("trace", "trace /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 405),
        ("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 405),
        ("GET *", "GET * HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", 405),
    ] {
        check(vec![case(name, head.to_owned() + SMUGGLED, Want::Refused(status))]);
    }
    let elsewhere = Stage::echo();
    let mut client = elsewhere.client();
    client.send("GET http://evil.example/a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n");
    assert_eq!(client.answer("GET").status(), 421);
    assert_eq!(client.get("/next").text(), "GET /next", "the connection goes on");
    assert_eq!(elsewhere.end().asked(), ["GET /next"]);
}

#[test]
fn options_of_a_path_is_a_request_like_any_other() {
    let sent = "OPTIONS /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n";
    check(vec![case("OPTIONS", sent, passed(&["OPTIONS /a "]))]);
}
