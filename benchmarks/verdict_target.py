"""The targets of ``benchmarks/verdicts.py``: an async and a threaded server with a known change.

Both serve ``GET /item``, ``GET /search`` and ``POST /order``. ``--more 10`` makes each search do 10 % more work.

    python benchmarks/verdict_target.py async --port 8000 --more 10
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import threading
from itertools import count
from typing import Any

import click

_ROUNDS = 12_000
"""Of the async server's search: about 1.5 ms."""
_ROWS = 12_000
"""That the search in SQLite reads: about 1 ms."""


def async_server(port: int, more: float) -> None:
    """FastAPI on uvicorn. An order waits for another service; a search computes."""
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()
    rounds = round(_ROUNDS * (1 + more / 100))
    numbers = count()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/item")
    async def item() -> dict[str, Any]:
        return {"id": 1, "name": "product 1", "tags": [f"tag {number}" for number in range(20)]}

    @app.get("/search")
    async def search() -> dict[str, int]:
        found = 0
        for number in range(rounds):
            found += number * 7919 % 13 == 0
        return {"found": found}

    @app.post("/order")
    async def order() -> dict[str, int]:
        await asyncio.sleep(0.002)
        return {"number": next(numbers)}

    uvicorn.run(app, port=port, log_level="warning")


def threaded_server(port: int, more: float) -> None:
    """Flask on Werkzeug, a thread per connection, on a SQLite file. A search reads rows; an order writes one."""
    from flask import Flask
    from werkzeug.serving import WSGIRequestHandler, make_server

    rows = round(_ROWS * (1 + more / 100))
    folder = tempfile.TemporaryDirectory(prefix="verdicts-")
    address = f"{folder.name}/store.sqlite"
    local = threading.local()
    app = Flask(__name__)

    def database() -> sqlite3.Connection:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(address, isolation_level=None, timeout=30)
            local.connection.execute("PRAGMA synchronous = OFF")
        connection: sqlite3.Connection = local.connection
        return connection

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/item")
    def item() -> dict[str, Any]:
        name, price = database().execute("SELECT name, price FROM items WHERE id = 77").fetchone()
        return {"name": name, "price": price}

    @app.get("/search")
    def search() -> dict[str, int]:
        query = "SELECT count(*) FROM items WHERE id <= ? AND price % 13 = 0"
        (found,) = database().execute(query, (rows,)).fetchone()
        return {"found": found}

    @app.post("/order")
    def order() -> dict[str, int | None]:
        return {"number": database().execute("INSERT INTO orders (item) VALUES (77)").lastrowid}

    database().execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price INTEGER)")
    database().execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, item INTEGER)")
    items = [(f"product {number}", number * 7919 % 1000) for number in range(2 * _ROWS)]
    database().execute("BEGIN")
    database().executemany("INSERT INTO items (name, price) VALUES (?, ?)", items)
    database().execute("COMMIT")

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps connections open

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Nothing: it would be half of the work."""

    make_server("127.0.0.1", port, app, threaded=True, request_handler=Handler).serve_forever()


KINDS = {"async": async_server, "threaded": threaded_server}


@click.command(help=__doc__, context_settings={"max_content_width": 120})
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.option("--port", type=int, required=True)
@click.option("--more", type=float, default=0.0, show_default=True, help="How many percent more work a search does.")
def main(kind: str, port: int, more: float) -> None:
    KINDS[kind](port, more)


if __name__ == "__main__":
    main()
