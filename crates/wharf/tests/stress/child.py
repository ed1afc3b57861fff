"""Random interleavings of signals, forks, closes, kills and threads during bind, listen and connect.

    child.py SEED ROUNDS NAME

Each round is a process of its own, three at a time, each with a port of its own that it names. A round
writes what was wrong into a pipe; the end of the pipe is the end of all its processes. The last line on
stdout is a JSON document; the exit code is 0 if nothing was wrong."""

import collections
import errno
import json
import os
import random
import select
import signal
import socket
import sys
import threading
import time

SEED, ROUNDS, NAME = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
HOST = "127.0.0.1"
# Somebody else listens on the first two.
NAMED = [8000, 8700, 9300]
# No round takes a hundredth of this.
LIMIT = 15.0
STARTED = time.monotonic()


class Wrong(Exception):
    pass


def check(holds, *what):
    if not holds:
        raise Wrong(" ".join(map(str, what)))


# ---- the calls, each with what may come of it ------------------------------------------------------


class Round:
    def __init__(self, seed, named, ports):
        self.rng = random.Random(seed)
        self.named, self.port = named, ports[named]
        self.restarts = self.rng.random() < 0.7
        self.ticks = 0
        self.interrupted = 0
        self.server = None

    def arm(self):
        """A signal every millisecond or so."""

        def tick(*_):
            self.ticks += 1

        signal.signal(signal.SIGALRM, tick)
        signal.signal(signal.SIGUSR1, tick)
        if self.restarts:
            signal.siginterrupt(signal.SIGALRM, False)
            signal.siginterrupt(signal.SIGUSR1, False)
        period = self.rng.choice([0.0005, 0.001, 0.002])
        signal.setitimer(signal.ITIMER_REAL, period, period)

    def again(self, call, *args):
        """A call that a signal took back before wharf saw it fails only where the program's handlers
        do not restart calls."""
        while True:
            try:
                return call(*args)
            except InterruptedError:
                check(not self.restarts, call.__name__, "was interrupted")
                self.interrupted += 1

    def spin(self, most=400):
        for _ in range(self.rng.randrange(most)):
            pass

    def bind(self, sock=None):
        sock = sock or socket.socket()
        if self.rng.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.again(sock.bind, (HOST, self.named))
        check(sock.getsockname() == (HOST, self.port), "bound on", sock.getsockname())
        return sock

    def serve(self, backlog=64):
        """A listener whose thread tells the name of this copy to whoever comes."""
        self.server = self.bind()
        self.again(self.server.listen, backlog)
        check(self.server.getsockname() == (HOST, self.port), "listens on", self.server.getsockname())

        def accept(server):
            while True:
                try:
                    client, _ = server.accept()
                    client.sendall(NAME)
                    client.close()
                except OSError:
                    return

        thread = threading.Thread(target=accept, args=(self.server,), daemon=True)
        thread.start()
        return thread

    def stop(self, thread):
        # Close alone does not end an accept that waits.
        self.again(self.server.shutdown, socket.SHUT_RDWR)
        thread.join(LIMIT)
        self.server.close()

    def connect(self):
        """The name that was told; else the number of the error."""
        client = socket.socket()
        try:
            if self.rng.random() < 0.5:
                client.connect((HOST, self.named))
            else:
                self.connect_later(client)
            client.settimeout(LIMIT)
            told = b""
            while chunk := client.recv(64):
                told += chunk
            check(told == NAME, "reached", told or "nothing")
            return told
        except TimeoutError:
            raise Wrong("a connection said nothing")
        except OSError as error:
            # Python takes an interrupted connect for one that is under way.
            if error.errno in (errno.ENOTCONN, errno.EINTR) and not self.restarts:
                self.interrupted += 1
                return self.connect()
            return error.errno
        finally:
            client.close()

    def connect_later(self, client):
        client.setblocking(False)
        first = client.connect_ex((HOST, self.named))
        check(first in (0, errno.EINPROGRESS, errno.EINTR), "non-blocking:", errno.errorcode.get(first))
        if first == errno.EINTR:
            raise OSError(errno.EINTR, "interrupted")
        _, ready, _ = select.select([], [client], [], LIMIT)
        check(ready, "a connection never came")
        error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "refused")


# ---- the kinds of rounds ---------------------------------------------------------------------------


def serves_and_closes(r):
    thread = r.serve()
    for _ in range(r.rng.randrange(1, 5)):
        told = r.connect()
        check(told == NAME, "own server:", errno.errorcode.get(told, told))
    r.stop(thread)
    told = r.connect()
    check(told == errno.ECONNREFUSED, "after the close:", errno.errorcode.get(told, told))


def closes_in_the_midst(r):
    """Another descriptor of the same socket is closed while it is bound."""
    for _ in range(r.rng.randrange(1, 6)):
        number = socket.socket().detach()
        call = socket.socket(fileno=os.dup(number))
        closer = threading.Thread(target=lambda: (r.spin(), os.close(number)))
        closer.start()
        try:
            r.bind(call)
            r.again(call.listen, 1)
        finally:
            closer.join()
            call.close()


def closed_under_the_call(r):
    """The very descriptor is closed while it is bound; nothing else is opened that could take its place."""
    sock = socket.socket()
    number = sock.fileno()
    closer = threading.Thread(target=lambda: (r.spin(2000), os.close(number)))
    closer.start()
    try:
        for call in (lambda: sock.bind((HOST, r.named)), lambda: sock.listen(1)):
            r.again(call)
    except OSError as error:
        check(error.errno == errno.EBADF, "closed:", errno.errorcode.get(error.errno))
    closer.join()
    sock.detach()


def threads_for_one_port(r):
    bound, refused = [], []
    gate = threading.Barrier(4)

    def attempt(seed):
        own = Round(seed, r.named, {r.named: r.port})
        own.restarts = r.restarts
        gate.wait()
        try:
            sock = socket.socket()
            own.again(sock.bind, (HOST, own.named))
            bound.append(sock)
        except OSError as error:
            refused.append(error.errno)

    threads = [threading.Thread(target=attempt, args=(r.rng.random(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    check(len(bound) == 1, len(bound), "threads have one port", refused)
    check(refused == [errno.EADDRINUSE] * 3, "threads:", refused)
    check(bound[0].getsockname() == (HOST, r.port), "bound on", bound[0].getsockname())


def forks_and_kills(r):
    """Children inherit the listener, connect to it, and some are killed while they do."""
    thread = r.serve()
    children = []
    for _ in range(r.rng.randrange(1, 4)):
        seed = r.rng.random()
        child = os.fork()
        if child == 0:
            own = Round(seed, r.named, {r.named: r.port})
            own.restarts = r.restarts
            own.arm()
            # Its parent serves: the child's copy must not outlive it.
            r.server.close()
            code = 0
            try:
                for _ in range(own.rng.randrange(1, 6)):
                    told = own.connect()
                    check(told == NAME, "a child:", errno.errorcode.get(told, told))
            except Wrong as wrong:
                say(r.pipe, wrong)
                code = 1
            os._exit(code)
        children.append(child)
    for child in children:
        if r.rng.random() < 0.4:
            r.spin(20000)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        check(os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL), "a child ended with", status)
    r.stop(thread)


def nobody_accepts(r):
    """A full queue: a connect waits until its own limit."""
    r.server = r.bind()
    r.again(r.server.listen, 0)
    waiting = [socket.socket() for _ in range(3)]
    for one in waiting:
        one.setblocking(False)
        while one.connect_ex((HOST, r.named)) == errno.EINTR:
            check(not r.restarts, "a connect was interrupted")
            r.interrupted += 1
    client = socket.socket()
    limit = (0).to_bytes(8, "little") + (3000).to_bytes(8, "little")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    # Python would wait for what a signal interrupts.
    signal.setitimer(signal.ITIMER_REAL, 0)
    got = client.connect_ex((HOST, r.named))
    # The kernel alone would say EINPROGRESS: it found the connection begun.
    allowed = (errno.EALREADY, errno.EINPROGRESS)
    check(got in allowed, "a full queue:", errno.errorcode.get(got, got))


def until_killed(r):
    while True:
        if r.rng.random() < 0.5:
            sock = r.bind()
            r.again(sock.listen, 8)
            r.spin()
            sock.close()
        else:
            told = r.connect()
            check(told == errno.ECONNREFUSED, "nobody serves:", errno.errorcode.get(told, told))


KINDS = [
    serves_and_closes,
    closes_in_the_midst,
    closed_under_the_call,
    threads_for_one_port,
    forks_and_kills,
    nobody_accepts,
    until_killed,
]


# ---- the rounds, three at a time -------------------------------------------------------------------


def say(pipe, text):
    os.write(pipe, f"{text}\n".encode())


def play(seed, kind, named, ports, pipe):
    """In a process of its own, the first of a group."""
    os.setpgid(0, 0)
    r = Round(seed, named, ports)
    r.pipe = pipe
    try:
        r.arm()
        kind(r)
    except Wrong as wrong:
        say(pipe, wrong)
    except BaseException as error:
        say(pipe, f"{type(error).__name__}: {error}")
    # Beside what was wrong, as a number.
    os.write(pipe, f"={r.interrupted}\n".encode())
    os._exit(0)


class Slot:
    def __init__(self, number, rng, named, ports):
        self.number, self.kind, self.named = number, rng.choice(KINDS), named
        now = time.monotonic()
        self.deadline = now + LIMIT
        is_killed = self.kind is until_killed or rng.random() < 0.1
        self.kill_at = now + rng.uniform(0.001, 0.02) if is_killed else None
        self.killed = False
        self.out, pipe = os.pipe()
        os.set_inheritable(pipe, True)
        seed = rng.random()
        self.pid = os.fork()
        if self.pid == 0:
            play(seed, self.kind, named, ports, pipe)
        os.close(pipe)
        self.said = b""

    def press(self):
        """Signals, at random moments; the last one when its time has come."""
        now = time.monotonic()
        if self.kill_at and now >= self.kill_at and not self.killed:
            self.killed = True
            self.signal_all(signal.SIGKILL)
        if now > self.deadline:
            self.signal_all(signal.SIGKILL)
            return f"{self.kind.__name__} hangs"
        return None

    def signal_all(self, number):
        for send, who in ((os.killpg, self.pid), (os.kill, self.pid)):
            try:
                send(who, number)
            except ProcessLookupError:
                pass

    def read(self):
        chunk = os.read(self.out, 4096)
        self.said += chunk
        return bool(chunk)

    def end(self):
        os.close(self.out)
        os.waitpid(self.pid, 0)
        lines = self.said.decode().splitlines()
        wrong = [line for line in lines if not line.startswith("=")]
        return wrong, sum(int(line[1:]) for line in lines if line.startswith("="))


def learn_ports():
    """Where each named port goes: the same for the whole run."""
    ports = {}
    for named in NAMED:
        with socket.socket() as sock:
            sock.bind((HOST, named))
            ports[named] = sock.getsockname()[1]
    return ports


def main():
    rng = random.Random(SEED)
    ports = learn_ports()
    print(json.dumps({"ports": ports}), flush=True)
    wrong, counts, interrupted, begun = [], collections.Counter(), 0, 0
    slots = {}
    while (begun < ROUNDS and not wrong) or slots:
        for named in NAMED:
            if begun < ROUNDS and not wrong and named not in slots:
                slots[named] = Slot(begun, rng, named, ports)
                counts[slots[named].kind.__name__] += 1
                begun += 1
                if begun % 50 == 0:
                    print(json.dumps({"begun": begun}), flush=True)
        ready, _, _ = select.select([slot.out for slot in slots.values()], [], [], 0.002)
        for named, slot in list(slots.items()):
            hangs = slot.press()
            if hangs:
                wrong.append(f"round {slot.number} on {named}: {hangs}")
            if slot.out in ready and not slot.read():
                said, times = slot.end()
                wrong += [f"round {slot.number}, {slot.kind.__name__} on {named}: {line}" for line in said]
                interrupted += times
                del slots[named]
    seconds = round(time.monotonic() - STARTED, 2)
    summary = {"rounds": begun, "wrong": wrong, "interrupted": interrupted, "seconds": seconds}
    print(json.dumps(summary | {"kinds": counts}), flush=True)
    sys.exit(1 if wrong else 0)


main()
