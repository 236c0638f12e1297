"""A FastAPI target that breaks its document at times: ``-m tests.support.promised_target PORT``.

``GET /books/{number}``: the number says which promise is broken. ``GET /broken`` is in no document.
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel

KEPT, WRONG_TYPE, MISSING, NULL, NO_STATUS, NO_JSON, TEXT, NO_HEADER, SECRET, EMPTY = range(10)
"""What ``/books/{number}`` does by number."""


class Author(BaseModel):
    name: str
    born: int | None = None


class Book(BaseModel):
    title: str
    pages: int
    authors: list[Author]
    access_token: str | None = None


_HEADERS = {"X-Left": {"required": True, "schema": {"type": "integer"}}}
app = FastAPI(title="Books", version="1.2")


@app.get("/books/{number}", response_model=Book, responses={200: {"headers": _HEADERS}})
def book(number: int) -> Response:
    """Made by hand, so that FastAPI does not check it."""
    found: dict[str, object] = {"title": "Emma", "pages": 474, "authors": [{"name": "Jane Austen", "born": 1775}]}
    headers, status = {"X-Left": "3"}, 200
    match number:
        case 1:  # WRONG_TYPE
            found["pages"] = "474"
        case 2:  # MISSING
            found["authors"] = [{"name": "Jane Austen"}, {"born": 1775}]
        case 3:  # NULL
            found["title"] = None
        case 4:  # NO_STATUS
            status = 418
        case 5:  # NO_JSON
            return Response(b'{"title": ', headers=headers, media_type="application/json")
        case 6:  # TEXT
            return PlainTextResponse("Emma", headers=headers)
        case 7:  # NO_HEADER
            headers = {}
        case 8:  # SECRET
            found["access_token"] = 12345678
        case 9:  # EMPTY
            return Response(status_code=200, headers=headers)
    return JSONResponse(found, status, headers)


@app.get("/books", response_model=list[Book])
def books() -> list[Book]:
    """Conforms to the document."""
    return [Book(title="Emma", pages=474, authors=[])]


@app.get("/health", include_in_schema=False)
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/broken", include_in_schema=False)
def broken() -> dict[str, int]:
    return {"a": 1}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
