"""Port 80 is a literal on purpose: without wharf, an ordinary user may not even bind it."""

from server import Handler, Server

Server(("127.0.0.1", 80), Handler).serve_forever()
