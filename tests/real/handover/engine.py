"""Plays Docker's engine for Traefik: the services of a compose file, each a process with an address of its own, behind
the four calls by which Traefik's Docker provider learns of containers.

    engine.py SOCKET COMPOSE-JSON PROJECT"""

import json
import os
import re
import socketserver
import subprocess
import sys
from http.server import BaseHTTPRequestHandler

SOCKET, COMPOSE, PROJECT = sys.argv[1:]
project = json.load(open(COMPOSE))
containers, servers = {}, []
for number, (name, service) in enumerate(project["services"].items(), start=11):
    if "ports" not in service:
        continue
    address = f"127.0.0.{number}"
    env = {key: value or "" for key, value in service["environment"].items()} | {"HOST": address}
    folder = PROJECT + service["working_dir"].removeprefix("/src")
    servers.append(subprocess.Popen(service["command"], env=os.environ | env, cwd=folder))
    ports = {f"{port['target']}/tcp": [{"HostIp": port["host_ip"], "HostPort": port["published"]}]
             for port in service["ports"]}
    containers[f"{number:064x}"] = {
        "Id": f"{number:064x}",
        "Name": f"/{project['name']}-{name}-1",
        "State": {"Status": "running", "Running": True},
        "HostConfig": {"NetworkMode": "all"},
        "Config": {"Labels": service.get("labels", {}) | {"com.docker.compose.project": project["name"],
                                                          "com.docker.compose.service": name}},
        "NetworkSettings": {"Ports": ports, "Networks": {"all": {"NetworkID": "all", "IPAddress": address}}},
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def address_string(self):
        return "traefik"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = re.sub(r"^/v[0-9.]+", "", self.path.split("?")[0])
        one = re.fullmatch("/containers/([0-9a-f]+)/json", path)
        if path == "/_ping":
            self.said("OK")
        elif path == "/version":
            self.said({"Version": "28.0.0", "ApiVersion": "1.48", "MinAPIVersion": "1.24", "Os": "linux"})
        elif path == "/containers/json":
            self.said([{"Id": key, "Names": [of["Name"]], "Labels": of["Config"]["Labels"], "State": "running"}
                       for key, of in containers.items()])
        elif one and one[1] in containers:
            self.said(containers[one[1]])
        elif path == "/events":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Connection", "close")
            self.end_headers()
            # Nothing happens here until Traefik is gone.
            self.connection.recv(1)
            self.close_connection = True
        else:
            self.said({"message": f"nothing is known of {self.path}"}, 404)

    def said(self, what, status=200):
        body = what.encode() if isinstance(what, str) else json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Api-Version", "1.48")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Engine(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


Engine(SOCKET, Handler).serve_forever()
