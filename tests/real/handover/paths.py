"""Paths of every kind for a server, each handed over to each web server, which is asked beside wharf's own proxy: it
answers the same, or the path is refused.

    paths.py PARTS WORK WHARF PROJECT

Called in a network of its own. Writes `paths.json`: for each path what wharf's proxy and each web server led to."""

import json
import os
import socket
import subprocess
import sys
import time

PARTS, WORK, WHARF, PROJECT = sys.argv[1:]
FRONT, PATIENCE = 7000, 20
PATHS = ["/a%20b", "/~a+b!&(c),;=:@", "/a'b", '/a"b', "/a|b", "/a.b", "/a^b", "/a{b}", "/a[b]", "/a\\b", "/a$b", "/a*",
         "/a//b", "/a/../b", "/a#b", "/a?b"]
WEB_SERVERS = {
    "nginx": ("paths.conf", ["nginx", "-c", f"{WORK}/nginx.conf"]),
    "caddy": ("Caddyfile", ["caddy", "run", "--adapter", "caddyfile", "--config", f"{WORK}/Caddyfile"]),
    "caddy-json": ("caddy.json", ["caddy", "run", "--config", f"{WORK}/caddy.json"]),
    "haproxy": ("haproxy.cfg", ["haproxy", "-db", "-f", f"{WORK}/haproxy.cfg"]),
    "traefik": ("traefik.yml", [f"{PARTS}/traefik/traefik", f"--providers.file.filename={WORK}/traefik.yml",
                                f"--entrypoints.wharf.address=127.0.0.1:{FRONT}"]),
}


def wharf(*words):
    return subprocess.run([WHARF, *words], cwd=f"{WORK}/paths", capture_output=True, text=True)


def asked(port, path):
    """Who answers: the name of a server, or a status."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as stream:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: paths.localhost\r\nConnection: close\r\n\r\n".encode())
        answer = stream.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    return json.loads(body)["name"] if status == 200 else status


def all_of(port, path):
    return [asked(port, path + more) for more in ("", "/x", "x")]


def leads_on(port):
    try:
        return asked(port, "/") == "web"
    except OSError:
        return False


def answers(words, path):
    """What a web server in front makes of it."""
    with open(f"{WORK}/front.log", "w") as log, subprocess.Popen(words, stdout=log, stderr=log) as front:
        deadline = time.monotonic() + PATIENCE
        while not leads_on(FRONT):
            try:
                front.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                assert time.monotonic() < deadline, words
            else:
                raise SystemExit(f"{words} ended: see {WORK}/front.log")
        try:
            return all_of(FRONT, path)
        finally:
            front.terminate()


def handed_over(path):
    with open(f"{WORK}/paths/wharf.toml", "w") as file:
        file.write(f"""[service.web]
run = "python3 server.py web {{port}}"
[service.api]
run = "python3 server.py api {{port}}"
paths = [{json.dumps(path)}]
""")
    wharf("down")
    up = wharf("up", "-d")
    assert up.returncode == 0, up
    row = {"wharf": all_of(80, path)}
    for target, (file, words) in WEB_SERVERS.items():
        done = wharf("export", target, "--listen", str(FRONT), "-o", f"{WORK}/{file}", "--replace")
        row[target] = answers(words, path) if done.returncode == 0 else done.stderr
    return row


os.environ |= {"HOME": f"{WORK}/home", "XDG_RUNTIME_DIR": f"{WORK}/run"}
os.makedirs(f"{WORK}/paths/.git")
os.makedirs(f"{WORK}/run", mode=0o700)
with open(f"{WORK}/paths/.git/HEAD", "w") as file:
    file.write("ref: refs/heads/main\n")
with open(f"{PROJECT}/server.py") as server, open(f"{WORK}/paths/server.py", "w") as copy:
    copy.write(server.read())
temporary = "".join(f"{kind}_temp_path {WORK}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
with open(f"{WORK}/nginx.conf", "w") as file:
    file.write(f"daemon off; pid {WORK}/nginx.pid; error_log stderr; events {{ }}\n"
               f"http {{ access_log off; {temporary} include {WORK}/paths.conf; }}\n")
try:
    rows = {path: handed_over(path) for path in PATHS}
finally:
    wharf("down")
    wharf("daemon", "stop")
with open(f"{WORK}/paths.json", "w") as file:
    json.dump(rows, file)
