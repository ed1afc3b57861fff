"""Serves on descriptor 3, which has to be passed by systemd's rules, and tells a variable of its own."""

import http.server
import os
import socket
import sys

assert sys.argv[1:] == ["a b$c 50%"], sys.argv
told = {name: os.environ.get("LISTEN_" + name) for name in ["PID", "FDS", "FDNAMES"]}
assert told == {"PID": str(os.getpid()), "FDS": "1", "FDNAMES": "web"}, told


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["NOTE"].encode())

    def log_message(self, *rest):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=3)
server.serve_forever()
