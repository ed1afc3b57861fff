use super::*;

use proptest::prelude::*;

fn routes(text: &str) -> Vec<String> {
    let front = of_text(Path::new("nginx.conf"), text).unwrap();
    front.routes.iter().map(|route| format!("{} {}", route.requests(), route.upstream)).collect()
}

fn left(text: &str) -> Vec<(String, usize)> {
    let front = of_text(Path::new("nginx.conf"), text).unwrap();
    front.left.into_iter().map(|left| (left.what, left.place.line)).collect()
}

const SHOP: &str = "
worker_processes 1;
events {}
http {
    upstream api { server 127.0.0.1:8001 weight=2; server 127.0.0.1:8002; server 127.0.0.1:8003 backup; }
    server {
        listen 80;
        server_name shop.test .blog.test *.cdn.test;
        location / { proxy_pass http://localhost:3000; }
        location /api/ { proxy_pass http://api; }
        location = /api { proxy_pass http://api; }
        location ^~ \"/a b/\" { proxy_pass http://127.0.0.1:9000/a\\ b/; proxy_set_header X y; }
    }
    server { listen 8080; location / { proxy_pass https://[::1]:8443; } }
}";

#[test]
fn names_paths_and_upstreams() {
    let found = routes(SHOP);
    for expected in [
        "shop.test http://localhost:3000",
        "shop.test/api http://127.0.0.1:8001",
        "blog.test http://localhost:3000",
        "*.blog.test http://localhost:3000",
        "*.cdn.test/api http://127.0.0.1:8001",
        "any name https://[::1]:8443",
    ] {
        assert!(found.iter().any(|known| known == expected), "{expected}\n{found:#?}");
    }
    let said = left(SHOP);
    assert!(said.contains(&("server 127.0.0.1:8002 of upstream api".into(), 5)), "{said:?}");
    assert!(!said.iter().any(|(what, _)| what.contains("exactly")), "{said:?}");
}

#[test]
fn what_wharf_has_no_word_for_is_told_with_its_line() {
    let text = "server {
    server_name ~^www\\d+$ a.test;
    root /srv;
    location ~ \\.php$ { fastcgi_pass unix:/run/php.sock; }
    location /old { return 301 /new; }
    location /strip/ { proxy_pass http://127.0.0.1:9000/; }
    location /sock { proxy_pass http://unix:/run/a.sock; }
    location /far { proxy_pass http://192.0.2.1:80; }
    location /var { proxy_pass http://$backend; }
    location = /one { proxy_pass http://127.0.0.1:9000; }
    location @named { proxy_pass http://127.0.0.1:9000; }
    include /no/such/file.conf;
}
stream { server { listen 5432; proxy_pass 127.0.0.1:5433; } }";
    assert_eq!(routes(text), Vec::<String>::new());
    let lines: Vec<usize> = left(text).into_iter().map(|(_, line)| line).collect();
    for line in [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14] {
        assert!(lines.contains(&line), "{line}: {:#?}", left(text));
    }
}

#[test]
fn files_are_included_and_a_circle_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("sites")).unwrap();
    let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    put("nginx.conf", "http { include sites/*.conf; include mime.types; }");
    put("sites/a.conf", "server { server_name a.test; location / { proxy_pass http://b; } }");
    put("sites/b.conf", "upstream b { server 127.0.0.1:8001; }");
    let front = read(&dir.path().join("nginx.conf")).unwrap();
    assert_eq!((front.routes.len(), front.files.len()), (1, 3));
    assert_eq!(front.left[0].why, "there is no such file");
    put("circle.conf", "include circle.conf;");
    assert!(read(&dir.path().join("circle.conf")).is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(server|location|proxy_pass|upstream|http://|[a-z0-9 :;{}#'\"$\\[\\]é/=~*.\n\\\\]){0,60}") {
        let _ = of_text(Path::new("nginx.conf"), &text);
    }
}

#[test]
fn exact_paths_are_bounded_as_all_routes_are() {
    let names: String = (0..200).map(|number| format!(" n{number}.test")).collect();
    let locations: String = (0..200)
        .map(|number| format!("location = /{number} {{ proxy_pass http://127.0.0.1:9000; }}\n"))
        .collect();
    let text = format!("http {{ server {{ server_name{names};\n{locations} }} }}");
    let refused = of_text(Path::new("nginx.conf"), &text).unwrap_err().to_string();
    assert!(refused.contains("more than 2000 routes"), "{refused}");
}

#[test]
fn a_pattern_that_walks_the_disk_is_told_and_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..150 {
        let inner = folder.path().join(format!("d{number}"));
        std::fs::create_dir(&inner).unwrap();
        for number in 0..150 {
            std::fs::write(inner.join(format!("{number}.conf")), "").unwrap();
        }
    }
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, "http { include */*.conf; }").unwrap();
    let front = read(&file).unwrap();
    assert!(front.left.iter().any(|left| left.why.contains("asks for more files")), "{front:?}");
}

#[test]
fn what_keeps_methods_out_is_told() {
    let text = "http { server { server_name a.test; location /api/ { limit_except GET { deny all; } \
                proxy_pass http://127.0.0.1:9000/api/; } } }";
    assert!(left(text).iter().any(|(what, _)| what.contains("limit_except")), "{:?}", left(text));
}
