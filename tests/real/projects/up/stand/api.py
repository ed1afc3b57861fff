"""The API of the stand. Its port is a literal, and the front counts on it."""

import http.server
import pathlib


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = pathlib.Path(__file__).with_name("identity.txt").read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
