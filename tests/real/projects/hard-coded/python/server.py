"""The port is a literal on purpose; only the address may be given."""

import http.server
import pathlib
import socket
import sys

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = pathlib.Path(__file__).with_name("identity.txt").read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    Server((ADDRESS, 8000), Handler).serve_forever()
