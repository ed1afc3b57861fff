//! Every importer takes random and mutated input: it is read or refused, and nothing panics or goes on without end.

#[path = "importers/mod.rs"]
mod importers;

use importers::Importer;

/// How many inputs each of them gets.
const ROUNDS: usize = 400;

/// A generator of numbers that gives the same ones in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % below.max(1)
    }

    /// Bytes that are cut, doubled, swapped or replaced at some places.
    fn mutated(&mut self, seed: &[u8], dictionary: &[&[u8]]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..1 + self.next(8) {
            let at = self.next(bytes.len() + 1);
            let end = (at + self.next(24)).min(bytes.len());
            match self.next(6) {
                0 => drop(bytes.drain(at..end)),
                1 => {
                    let part = bytes[at..end].to_vec();
                    let part = part.repeat(1 + self.next(40));
                    bytes.splice(at..at, part);
                }
                2 => bytes.truncate(at),
                3 if at < bytes.len() => bytes[at] = u8::try_from(self.next(256)).unwrap(),
                _ => {
                    let word = dictionary[self.next(dictionary.len())];
                    bytes.splice(at..end, word.iter().copied());
                }
            }
        }
        bytes
    }
}

fn rounds(importer: Importer, seeds: &[&str], dictionary: &[&[u8]]) {
    let dir = tempfile::tempdir().unwrap();
    importer.prepare(dir.path());
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..ROUNDS {
        let seed = seeds[round % seeds.len()].as_bytes();
        let bytes = match round {
            0 => seed.to_vec(),
            _ if round % 10 == 0 => {
                (0..numbers.next(200)).map(|_| u8::try_from(numbers.next(256)).unwrap()).collect()
            }
            _ => numbers.mutated(seed, dictionary),
        };
        importer.feed(dir.path(), &bytes);
    }
}

const NGINX: &str = "http { upstream api { server 127.0.0.1:8001; server [::1]:8002 down; }\n\
    server { listen 80; server_name shop.test *.x.test .y.test \"q\";\n\
    location / { proxy_pass http://localhost:3000; }\n\
    location = /a { proxy_pass https://api/; } location ~ \\.php$ { return 404; } # c\n} }\n";
const CADDY: &str = "{\n\tauto_https off\n}\n(s) {\n\treverse_proxy {args[0]} :{args[1]}\n}\n\
    shop.test, http://*.x.test:80 {\n\t@a path /a /a/*\n\thandle @a {\n\t\treverse_proxy `127.0.0.1:1` {\n\t\t\tto :2\n\t\t}\n\t}\n\
    \timport s /b* 3\n\trespond <<END\n  x\n  END 200\n}\n";
const COMPOSE: &str = "name: shop\nx-a: &a\n  ports: [\"80\", \"127.0.0.1:8000-8002:80/tcp\"]\nservices:\n  db:\n    <<: *a\n    image: postgres:${TAG:-16}\n    ports: !override\n      - target: 5432\n        published: \"5432\"\n  web:\n    extends: db\n    profiles: [x]\n";
const PACKAGE: &str = "{\"name\": \"shop\", \"workspaces\": [\"apps/*\"], \"scripts\": {\"dev\": \"concurrently -n a,b 'npm:api' \\\"PORT=3000 vite\\\"\", \"api\": \"node s.js && run-p a b\", \"a\": \"next dev -p 3001\"}}";
const PYPROJECT: &str = "[project]\nname = \"shop\"\n[project.scripts]\ndev = \"app.main:run\"\n[tool.poe.tasks]\ndev = { cmd = \"uvicorn app.main:app --port 8001\" }\n[tool.pdm.scripts]\nstart = \"flask run\"\n";

#[test]
fn web_servers_configurations() {
    let words: &[&[u8]] = &[
        b"{",
        b"}",
        b";",
        b"\"",
        b"'",
        b"\\",
        b"#",
        b"*",
        b"$",
        b"server ",
        b"\n",
        b"include x;",
        b"\xff",
    ];
    rounds(Importer::Nginx, &[NGINX], words);
    let words: &[&[u8]] = &[
        b" {\n",
        b"}",
        b"\n",
        b"\"",
        b"`",
        b"\\\n",
        b"#",
        b"*",
        b"import s ",
        b"<<E\n",
        b"(s)",
        b"{args[0]}",
        b"\xff",
    ];
    rounds(Importer::Caddy, &[CADDY], words);
}

#[test]
fn procfiles_and_their_variables() {
    let words: &[&[u8]] =
        &[b":", b"\n", b"=", b"$PORT", b"'", b"\"", b"\\", b"#", b"\r", b"\xff", b"\xef\xbb\xbf"];
    rounds(Importer::Procfile, &["web: ./serve -p ${PORT:-3000}\njob: a | b\nrelease: c\n"], words);
    rounds(Importer::Dotenv, &["A=1\nexport B='x\ny' # c\nC=\"\\n$A\"\nPORT=5000\n"], words);
}

#[test]
fn compose_files() {
    let words: &[&[u8]] = &[
        b"\n",
        b"  ",
        b"- ",
        b": ",
        b"&a ",
        b"*a",
        b"<<: ",
        b"!reset ",
        b"${A:?b}",
        b"\"",
        b"[",
        b"}",
        b"\t",
        b"include: [compose.yaml]\n",
    ];
    rounds(Importer::Compose, &[COMPOSE], words);
}

#[test]
fn manifests_and_their_workspaces() {
    let words: &[&[u8]] = &[
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"'",
        b"\\",
        b"&&",
        b"*",
        b"npm run dev",
        b"$",
        b"../",
    ];
    rounds(Importer::Package, &[PACKAGE], words);
    rounds(Importer::Pyproject, &[PYPROJECT], words);
    let turbo = "{\"tasks\": {\"dev\": {\"dependsOn\": [\"^build\", \"web#dev\"], \"with\": [\"x\"]}}} // c";
    rounds(Importer::Turbo, &[turbo], words);
    rounds(Importer::Pnpm, &["packages:\n  - \"apps/*\"\n  - '!apps/x'\n"], words);
}
