from pathlib import Path


def app(environ, start_response):
    text = Path(__file__).with_name("identity.txt").read_bytes()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
