import http.server
import os
from pathlib import Path


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        identity = Path("identity.txt").read_text()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"<!DOCTYPE html><title>Slow shop</title><p>{identity}</p>".encode())


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
