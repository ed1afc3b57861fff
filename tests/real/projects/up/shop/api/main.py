"""The API of the shop: a login with a cookie, and what there is to buy."""

import secrets
from typing import Annotated

import psycopg
import uvicorn
from fastapi import Cookie, FastAPI, Form, HTTPException, Response

import settings

app = FastAPI()


@app.post("/api/login")
def login(name: Annotated[str, Form()], password: Annotated[str, Form()], response: Response):
    with psycopg.connect(settings.DATABASE) as shop:
        known = shop.execute(
            "select 1 from users where name = %s and password = %s", (name, password)
        ).fetchone()
        if not known:
            raise HTTPException(401, "no such user")
        token = secrets.token_urlsafe()
        shop.execute("insert into sessions values (%s, %s)", (token, name))
    response.set_cookie("session", token, httponly=True, samesite="lax")
    return {"name": name}


@app.get("/api/items")
def items(session: Annotated[str | None, Cookie()] = None):
    with psycopg.connect(settings.DATABASE) as shop:
        user = shop.execute("select name from sessions where token = %s", (session,)).fetchone()
        if not user:
            raise HTTPException(401, "not logged in")
        titles = [title for (title,) in shop.execute("select title from items order by title")]
    return {"name": user[0], "items": titles}


uvicorn.run(app, host="127.0.0.1", port=settings.PORT)
