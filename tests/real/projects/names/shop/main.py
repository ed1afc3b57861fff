"""A shop that tells who asked it for what: what a page of another site gets through leaves a trace."""

import asyncio
from pathlib import Path

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

app = FastAPI()
identity = Path(__file__).with_name("identity.txt").read_text().strip()
asked: list[str] = []
listening: dict[str, asyncio.Queue] = {}


@app.middleware("http")
async def note(request: Request, answer):
    who = request.query_params.get("from")
    if who:
        asked.append(f"{request.method} {who}")
    return await answer(request)


@app.get("/", response_class=HTMLResponse)
def page() -> str:
    return f"<!DOCTYPE html><title>Shop</title><p id=identity>{identity}</p>"


@app.post("/", response_class=HTMLResponse)
async def posted(request: Request) -> str:
    body = (await request.body()).decode()
    return f"<!DOCTYPE html><title>Posted</title><p id=identity>{identity}</p><p>{body}</p>"


@app.get("/asked")
def tell() -> list[str]:
    return asked


@app.get("/script.js")
def script() -> Response:
    return Response(f"window.stolen = '{identity}'", media_type="text/javascript")


@app.get("/cookies")
def cookies(request: Request) -> dict[str, str]:
    return request.cookies


@app.post("/cookies")
def bake(name: str, value: str, domain: str | None = None) -> Response:
    answer = PlainTextResponse("baked")
    answer.set_cookie(name, value, domain=domain)
    return answer


@app.get("/events")
async def events(request: Request, who: str) -> StreamingResponse:
    listening[who] = asyncio.Queue(maxsize=10)

    async def each():
        left = asyncio.create_task(request.receive())
        try:
            yield "data: open\n\n"
            while True:
                wanted = asyncio.create_task(listening[who].get())
                done, _ = await asyncio.wait({wanted, left}, return_when=asyncio.FIRST_COMPLETED)
                if left in done:
                    wanted.cancel()
                    return
                yield f"data: {wanted.result()}\n\n"
        finally:
            del listening[who]

    return StreamingResponse(each(), media_type="text/event-stream")


@app.post("/events")
async def want(who: str, data: str) -> str:
    await listening[who].put(data)
    return "sent"


@app.get("/listening")
def tell_listening() -> list[str]:
    return list(listening)


@app.websocket("/socket")
async def echo(socket: WebSocket) -> None:
    asked.append("WEBSOCKET " + socket.query_params.get("from", ""))
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{identity}: {text}")
