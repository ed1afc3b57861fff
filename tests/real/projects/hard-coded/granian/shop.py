from pathlib import Path


async def app(scope, receive, send):
    assert scope["type"] == "http"
    text = Path(__file__).with_name("identity.txt").read_bytes()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text})
