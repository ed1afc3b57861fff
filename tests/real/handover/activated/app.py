"""An application of each kind, which tells its kind."""

try:
    from flask import Flask

    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "flask")
except ImportError:
    # hypercorn has a folder of its own.
    pass


def wsgi(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi"]


async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"asgi"})
