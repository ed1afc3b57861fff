"""The requests that every web server in front is asked, and wharf's own proxy too: prints what came of each.

    table.py [ADDRESS:]PORT [CA]

With a file of an authority it asks by TLS."""

import base64
import hashlib
import json
import socket
import ssl
import sys

ADDRESS, _, PORT = sys.argv[1].rpartition(":")
ADDRESS, PORT = ADDRESS or "127.0.0.1", int(PORT)
CA = sys.argv[2] if len(sys.argv) > 2 else None
USUAL = 443 if CA else 80
SCHEME = "https" if CA else "http"
PATIENCE = 20


def connect(host):
    stream = socket.create_connection((ADDRESS, PORT), timeout=PATIENCE)
    if CA:
        context = ssl.create_default_context(cafile=CA)
        stream = context.wrap_socket(stream, server_hostname=host)
    return stream


def ask(host, path, method="GET", fields=(), body=b"", authority=None):
    """The status, the fields and the body of the answer."""
    stream = connect(host.lower())
    lines = [f"{method} {path} HTTP/1.1", f"Host: {authority or host}", "Connection: close", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    stream.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    file = stream.makefile("rb")
    status = int(file.readline().split()[1])
    head = {}
    while (line := file.readline().strip()):
        name, value = line.decode().split(":", 1)
        head[name.lower()] = value.strip()
    if head.get("transfer-encoding", "").lower() == "chunked":
        whole = b""
        while size := int(file.readline().split(b";")[0], 16):
            whole += file.read(size)
            file.readline()
        return status, head, whole
    length = head.get("content-length")
    return status, head, file.read(int(length)) if length is not None else file.read()


def told(answer):
    """What the server was told: the port of the front, which differs, is `FRONT`."""
    status, _, body = answer
    if status != 200:
        return status
    said = json.loads(body.decode().replace(f":{PORT}", ":FRONT"))
    fields = said["fields"]
    if fields.get("X-Forwarded-Port") == [str(PORT)]:
        fields["X-Forwarded-Port"] = ["FRONT"]
    # Some say it beside X-Forwarded-*, none passes on what it was sent.
    forwarded = fields.pop("Forwarded", [])
    assert not any("6.6.6.6" in one for one in forwarded), forwarded
    return said


def web_socket(host):
    stream = connect(host)
    key = base64.b64encode(b"0123456789abcdef").decode()
    stream.sendall(f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   f"Origin: {SCHEME}://{host}\r\nSec-WebSocket-Version: 13\r\n"
                   f"Sec-WebSocket-Key: {key}\r\n\r\n".encode())
    file = stream.makefile("rb")
    status = int(file.readline().split()[1])
    accept = None
    while (line := file.readline().strip()):
        if line.lower().startswith(b"sec-websocket-accept:"):
            accept = line.split(b":", 1)[1].strip().decode()
    expected = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
    mask = b"\1\2\3\4"
    stream.sendall(b"\x81" + bytes([0x80 | 5]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(b"hello")))
    return [status, accept == expected.decode(), file.read(7).decode("latin-1")]


def event(host):
    """The first event of a stream that goes on: it is here before anything more is sent."""
    stream = connect(host)
    stream.sendall(f"GET /events HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n".encode())
    got = b""
    while b"data: first" not in got:
        piece = stream.recv(4096)
        assert piece, got
        got += piece
    return "first"


def unknown():
    """A name that nobody has: by TLS there is no certificate for it."""
    try:
        return ask("other.localhost", "/")[0]
    except ssl.SSLError:
        return 421


spoofed = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil", "X-Real-IP: 6.6.6.6",
           "Forwarded: for=6.6.6.6", "X-Forwarded-Port: 1"]
shop, api, deep = "project.localhost", "api.project.localhost", "a.b.api.project.localhost"
large = bytes(range(256)) * 20_000
rows = {
    "primary": told(ask(shop, "/")),
    "service": told(ask(api, "/x?y=%2Fz")),
    "path": told(ask(shop, "/api")),
    "below the path": told(ask(shop, "/api/v1")),
    "beside the path": told(ask(shop, "/apis")),
    "a closer path": told(ask(shop, "/api/web/x")),
    "wildcard": told(ask(deep, "/")) if not CA else None,
    "below the primary": told(ask(f"zz.{shop}", "/")) if not CA else None,
    "a path below the primary": told(ask(f"zz.{shop}", "/api")) if not CA else None,
    "second instance": told(ask(f"2.{api}", "/")),
    "capitals": told(ask("Api.Project.Localhost", "/")),
    "with a port": told(ask(api, "/", authority=f"{api}:{PORT}")),
    "unknown": unknown(),
    "told by strangers": told(ask(api, "/", fields=spoofed)),
    "cookies": told(ask(api, "/", fields=["Cookie: a=" + "x" * 16_000, "Cookie: b=" + "y" * 16_000])),
    "origin": told(ask(api, "/", "POST", [f"Origin: {SCHEME}://{api}", f"Referer: {SCHEME}://{api}/form"], b"a=b")),
    "large": told(ask(api, "/", "POST", body=large)),
    "redirect": ask(api, "/away")[1].get("location"),
    "socket": web_socket(api),
    "events": event(api),
}
json.dump(rows, sys.stdout)
