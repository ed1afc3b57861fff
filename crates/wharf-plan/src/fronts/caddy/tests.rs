use super::*;

use proptest::prelude::*;

fn routes(text: &str) -> Vec<String> {
    let front = of_text(Path::new("Caddyfile"), text).unwrap();
    front.routes.iter().map(|route| format!("{} {}", route.requests(), route.upstream)).collect()
}

fn left(text: &str) -> Vec<(String, usize)> {
    let front = of_text(Path::new("Caddyfile"), text).unwrap();
    front.left.into_iter().map(|left| (left.what, left.place.line)).collect()
}

#[test]
fn sites_paths_and_upstreams() {
    let text = "{
    auto_https off
}
(common) {
    encode gzip
    reverse_proxy {args[0]} localhost:{args[1]}
}
shop.test, http://www.shop.test:8080 {
    handle /api/* {
        reverse_proxy 127.0.0.1:8001
    }
    @files path /img /img/* /css*
    reverse_proxy @files :8002
    import common * 3000
}
*.blog.test {
    reverse_proxy {
        to https://[::1]:8443
    }
}
:8080 {
    reverse_proxy web:5000
}
";
    let found = routes(text);
    for expected in [
        "shop.test/api http://127.0.0.1:8001",
        "www.shop.test/img http://localhost:8002",
        "shop.test/css http://localhost:8002",
        "shop.test http://localhost:3000",
        "*.blog.test https://[::1]:8443",
        "any name http://web:5000",
    ] {
        assert!(found.iter().any(|known| known == expected), "{expected}\n{found:#?}");
    }
    assert_eq!(left(text), []);
}

#[test]
fn a_file_about_one_site_needs_no_braces() {
    assert_eq!(
        routes("localhost\n\nreverse_proxy 127.0.0.1:9000\n"),
        ["any name http://127.0.0.1:9000"]
    );
    assert_eq!(
        routes("{\n debug\n}\na.test\nreverse_proxy /x/* :1\n"),
        ["a.test/x http://localhost:1"]
    );
}

#[test]
fn what_wharf_has_no_word_for_is_told_with_its_line() {
    let text = "a.test, {$NAME}, b.test/x {
    root * /srv
    file_server
    php_fastcgi unix//run/php.sock
    handle_path /api/* {
        reverse_proxy :8001
    }
    @post method POST
    reverse_proxy @post :8002
    reverse_proxy /s unix//run/a.sock
    reverse_proxy /one :8003
    reverse_proxy /two/* :8004 :8005
    import no/such
    redir /old /new
}";
    assert_eq!(routes(text), ["a.test/two http://localhost:8004"]);
    let lines: Vec<usize> = left(text).into_iter().map(|(_, line)| line).collect();
    for line in [1, 2, 3, 4, 6, 9, 10, 11, 12, 13, 14] {
        assert!(lines.contains(&line), "{line}: {:#?}", left(text));
    }
}

#[test]
fn snippets_that_multiply_and_circles_come_to_an_end() {
    let mut text = String::from("(a0) {\n x\n x\n}\n");
    for number in 1..15 {
        let before = number - 1;
        let twice = format!(" import a{before}\n").repeat(8);
        text.push_str(&format!("(a{number}) {{\n{twice}}}\n"));
    }
    text.push_str("a.test {\n import a14\n}\n");
    assert!(of_text(Path::new("Caddyfile"), &text).is_err());
    let circle = "(a) {\n import a\n}\nb.test {\n import a\n}";
    assert!(of_text(Path::new("Caddyfile"), circle).is_err());
}

#[test]
fn files_are_imported() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    put("Caddyfile", "import *.caddy\n");
    put("a.caddy", "a.test {\n reverse_proxy :1\n}\n");
    put("b.caddy", "b.test {\n reverse_proxy :2\n}\n");
    let front = read(&dir.path().join("Caddyfile")).unwrap();
    assert_eq!((front.routes.len(), front.files.len()), (2, 3));
    put("c.caddy", "import c.caddy\n");
    assert!(read(&dir.path().join("c.caddy")).is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(reverse_proxy|handle|import|path|a.test \\{\n|[a-z0-9 :@(){}#'\"`$\\[\\]é/*<.,\n\\\\]){0,60}") {
        let _ = of_text(Path::new("Caddyfile"), &text);
    }
}

#[test]
fn of_two_matchers_the_narrower_one_counts_and_what_is_of_neither_is_told() {
    let site = |inner: &str| {
        format!("shop.test {{\n handle /api/* {{\n  reverse_proxy {inner} :9000\n }}\n}}\n")
    };
    let api = ["shop.test/api http://localhost:9000".to_owned()];
    for inner in ["", "/*", "/api/*", "/a*"] {
        assert_eq!(routes(&site(inner)), api, "{inner}");
    }
    assert_eq!(routes(&site("/api/v1/*")), ["shop.test/api/v1 http://localhost:9000"]);
    assert!(routes(&site("/other/*")).is_empty());
    assert_eq!(left(&site("/other/*")).len(), 1);
}

#[test]
fn a_small_file_does_not_become_a_large_one() {
    let snippet = format!("(big) {{\n respond {}\n}}\n", "x".repeat(50_000));
    let text = format!("{snippet}shop.test {{\n{}}}\n", " import big\n".repeat(10_000));
    let refused = of_text(Path::new("Caddyfile"), &text).unwrap_err().to_string();
    assert!(refused.contains("more than 8 MiB of text"), "{refused}");
}
