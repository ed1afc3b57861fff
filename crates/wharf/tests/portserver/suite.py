"""Many processes at once, each of which picks a port with portpicker's own client and serves on it.

Prints the ports, one a line, while every process still listens; ends once its standard input does.
"""

import os
import socket
import sys

import portpicker

ALL = int(sys.argv[1])


def child(go, out, stay):
    os.read(go, 1)
    # Not `pick_unused_port`: that would fall back to a guess, and the test shall not pass by luck.
    port = portpicker.get_port_from_port_server(os.environ["PORTSERVER_ADDRESS"])
    # Plainly: without SO_REUSEADDR nobody else may be there at all.
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        os.write(out, b"%d\n" % port)
        os.read(stay, 1)


def main():
    go, begin = os.pipe()
    ports, out = os.pipe()
    stay, end = os.pipe()
    children = []
    for _ in range(ALL):
        pid = os.fork()
        if pid == 0:
            for unused in (begin, ports, end):
                os.close(unused)
            child(go, out, stay)
            os._exit(0)
        children.append(pid)
    os.close(out)
    os.close(begin)
    with os.fdopen(ports) as lines:
        for _ in range(ALL):
            print(lines.readline().strip(), flush=True)
    sys.stdin.read()
    os.close(end)
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
    sys.exit(failed != 0)


main()
