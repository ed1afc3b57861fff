# Answers a bind to the port that the program names with the port that it was given.
# Python imports this module at its start; it must not fail, and it leaves nothing else changed.
WANTED = @@WANTED@@
GIVEN = @@WHARF_PORT@@


def _install():
    import socket

    plain = socket.socket.bind

    def bind(self, address):
        try:
            if self.family in (socket.AF_INET, socket.AF_INET6) and address[1] == WANTED:
                address = (address[0], GIVEN) + tuple(address[2:])
        except Exception:
            pass
        return plain(self, address)

    socket.socket.bind = bind


def _other_sitecustomize():
    # Another module of this name, further down the path, is still run.
    import importlib.machinery
    import importlib.util
    import os
    import sys

    here = os.path.dirname(os.path.abspath(__file__))
    path = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if WANTED != GIVEN:
    try:
        _install()
    except Exception:
        pass
try:
    _other_sitecustomize()
except Exception:
    pass
