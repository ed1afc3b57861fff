"""A server that says what reached it: its name, the request, its fields. `/ws` echoes one frame of a WebSocket,
`/events` sends an event and then nothing until its client is gone, `/away` leads to where the server really is. It
listens at `$HOST`."""

import base64
import hashlib
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FIELDS = ["Host", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "Forwarded",
          "X-Real-IP", "Origin", "Referer", "Cookie"]
NAME, HOST, PORT = sys.argv[1], os.environ.get("HOST", "127.0.0.1"), int(sys.argv[2])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def answer(self):
        if self.path == "/ws":
            return self.web_socket()
        if self.path == "/events":
            return self.events()
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", f"http://{HOST}:{PORT}/there")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        body = self.body()
        fields = {name: self.headers.get_all(name) for name in FIELDS if self.headers.get_all(name)}
        if "Cookie" in fields:
            fields["Cookie"] = len("; ".join(fields["Cookie"]))
        said = {"name": NAME, "method": self.command, "path": self.path, "fields": fields,
                "length": len(body), "sum": hashlib.sha256(body).hexdigest(), "env": os.environ.get("NOTE")}
        text = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def web_socket(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        head = self.rfile.read(2)
        mask = self.rfile.read(4)
        text = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(head[1] & 127)))
        self.wfile.write(bytes([head[0], len(text)]) + text)
        self.close_connection = True

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.wfile.flush()
        # Nothing more until the client, or who stands between, is gone.
        self.connection.recv(1)
        self.close_connection = True

    do_GET = do_POST = do_HEAD = answer


ThreadingHTTPServer((HOST, PORT), Handler).serve_forever()
