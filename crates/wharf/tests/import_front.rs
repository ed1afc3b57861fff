//! `wharf import nginx` and `wharf import caddy`, and the aliases of a `wharf.toml`.

mod sandbox;

use sandbox::Sandbox;

const WEB: &str = "[service.web]\nrun = \"python3 -m http.server {port}\"\nport = \"8000+\"\n\
    [service.api]\nrun = \"python3 -m http.server {port}\"\nport = \"8100+\"\n";

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|known| known == line), "{line}\n{text}");
}

#[test]
fn an_nginx_configuration_becomes_paths_of_services_and_aliases() {
    let sandbox = Sandbox::new();
    sandbox.file("wharf.toml", WEB);
    sandbox.file(
        "nginx.conf",
        "upstream api { server 127.0.0.1:8100; server 127.0.0.1:8101; }\n\
         server {\n  server_name shop.test;\n  root /srv;\n\
         location / { proxy_pass http://localhost:8000; }\n\
         location /api/ { proxy_pass http://api; }\n\
         location /mail { proxy_pass http://127.0.0.1:8025; }\n}\n\
         server { server_name mail.test; location / { proxy_pass http://127.0.0.1:8025; } }\n\
         include conf.d/*.conf;\n",
    );
    sandbox.file(
        "conf.d/a.conf",
        "server { server_name *.x.test; location / { proxy_pass http://[::1]:8000; } }\n",
    );
    let told = sandbox.output(&["import", "nginx"]);
    assert_eq!(told.code, 0, "{told:?}");
    has(&told.out, "[service.api]");
    has(&told.out, "paths = [\"/api\"]");
    has(&told.out, "\"mail\" = 8025 # nginx.conf line 9");
    has(&told.out, "wildcard = true");
    for said in [
        "not taken over (nginx.conf line 4): root /srv",
        "not taken over (nginx.conf line 1): server 127.0.0.1:8101 of upstream api",
        "not taken over (nginx.conf line 7): shop.test/mail to http://127.0.0.1:8025",
    ] {
        assert!(told.err.contains(said), "{said}\n{}", told.err);
        assert!(told.out.contains(&format!("# {said}")), "{said}\n{}", told.out);
    }
    let json = sandbox.output(&["import", "nginx", "--json"]).json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["front"]["files"][1], "conf.d/a.conf");
    assert_eq!(json["front"]["routes"][0]["host"], "shop.test");
}

#[test]
fn a_caddyfile_becomes_the_same() {
    let sandbox = Sandbox::new();
    sandbox.file("wharf.toml", WEB);
    sandbox.file(
        "Caddyfile",
        "shop.localhost {\n\treverse_proxy /api/* localhost:8100\n\treverse_proxy web:8000\n}\n\
         mail.shop.localhost {\n\treverse_proxy :8025\n\tfile_server\n}\n",
    );
    let told = sandbox.output(&["import", "caddy", "Caddyfile"]);
    assert_eq!(told.code, 0, "{told:?}");
    has(&told.out, "paths = [\"/api\"]");
    has(&told.out, "\"mail.shop\" = 8025 # Caddyfile line 6");
    assert!(told.err.contains("Caddyfile line 7): file_server"), "{told:?}");
}

#[test]
fn what_cannot_be_read_is_told() {
    let sandbox = Sandbox::new();
    let none = sandbox.output(&["import", "nginx"]);
    assert!(none.code == 3 && none.err.contains("nginx/nginx.conf"), "{none:?}");
    sandbox.file("nginx.conf", "server {\n");
    let torn = sandbox.output(&["import", "nginx"]);
    assert!(torn.code == 2 && torn.err.contains("nginx.conf line 2"), "{torn:?}");
    sandbox.file("Caddyfile", "a.test {\n\tfile_server\n}\n");
    let empty = sandbox.output(&["import", "caddy"]);
    assert!(empty.code == 3 && empty.err.contains("leads no name or path"), "{empty:?}");
    let missing = sandbox.output(&["import", "caddy", "no/such"]);
    assert_eq!(missing.code, 3, "{missing:?}");
}

#[test]
fn declared_aliases_are_there_from_up_to_down() {
    let sandbox = Sandbox::new();
    sandbox.file("wharf.toml", &format!("[alias]\nmail = 8025\n{WEB}"));
    let explained = sandbox.output(&["explain", "--project", "--json"]).json();
    assert_eq!(explained["aliases"][0]["name"], "mail", "{explained}");
    let up = sandbox.output(&["up", "-d"]);
    assert_eq!(up.code, 0, "{up:?}");
    assert!(up.err.contains("mail leads to http://localhost:8025"), "{up:?}");
    let names = |told: serde_json::Value| told["aliases"].as_array().map(Vec::len);
    assert_eq!(names(sandbox.output(&["alias", "--json"]).json()), Some(1));
    let one = sandbox.output(&["down", "api"]);
    assert_eq!(one.code, 0, "{one:?}");
    assert_eq!(names(sandbox.output(&["alias", "--json"]).json()), Some(1), "web still runs");
    let down = sandbox.output(&["down"]);
    assert!(down.code == 0 && down.err.contains("mail no longer leads"), "{down:?}");
    assert_eq!(names(sandbox.output(&["alias", "--json"]).json()), Some(0));
}

#[test]
fn a_project_may_have_aliases_alone_and_one_that_leads_elsewhere_by_now_stays() {
    let sandbox = Sandbox::new();
    sandbox.file("wharf.toml", "[alias]\nmail = 8025\n\"api.shop\" = \"https://127.0.0.1:8443\"\n");
    let up = sandbox.output(&["up"]);
    assert!(up.code == 0 && up.err.contains("this project runs nothing"), "{up:?}");
    let other = sandbox.output(&["alias", "mail", "9000"]);
    assert_eq!(other.code, 0, "{other:?}");
    let down = sandbox.output(&["down"]);
    assert_eq!(down.code, 0, "{down:?}");
    let left = sandbox.output(&["alias", "--json"]).json();
    assert_eq!(left["aliases"].as_array().map(Vec::len), Some(1), "{left}");
    assert_eq!(left["aliases"][0]["target"], "http://localhost:9000");
    sandbox.file("wharf.toml", "[alias]\nmail = \"https://example.org:1\"\n");
    let bad = sandbox.output(&["up"]);
    assert!(bad.code == 2 && bad.err.contains("wharf.toml line 2"), "{bad:?}");
}
