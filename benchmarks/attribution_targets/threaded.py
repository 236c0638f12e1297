"""Accounts in SQLite behind a server with a thread for each connection, from the standard library alone."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import threading
import zlib
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.attribution_targets.repeats import repeats

_local = threading.local()


def connection() -> sqlite3.Connection:
    if not hasattr(_local, "connection"):
        _local.connection = sqlite3.connect(":memory:")
        _local.connection.execute("CREATE TABLE booking (account INTEGER, cents INTEGER)")
        rows = [(number % 25, number * 7 % 1000) for number in range(2000)]
        _local.connection.executemany("INSERT INTO booking VALUES (?, ?)", rows)
        _local.connection.execute("CREATE INDEX by_account ON booking (account)")
    found: sqlite3.Connection = _local.connection
    return found


def bookings(account: int) -> list[int]:
    rows: list[tuple[int]] = []
    for _ in repeats("bookings")[::25]:
        rows = connection().execute("SELECT cents FROM booking WHERE account = ?", (account,)).fetchall()
    return [cents for (cents,) in rows]


def balance(cents: list[int]) -> Decimal:
    total = Decimal(0)
    for number in repeats("balance"):
        total += Decimal(cents[number % len(cents)]) / 100
    return total


def interest(amount: Decimal) -> float:
    rate = float(amount)
    for _ in repeats("interest"):
        for _ in range(3):
            rate = rate * 1.0001 + 0.01
    return rate


def signature(text: str) -> str:
    digest = text
    for _ in repeats("signature"):
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return digest


def packed(text: str) -> bytes:
    data = b""
    for _ in repeats("packed")[::20]:
        data = zlib.compress(text.encode() * 12)
    return data


def statement(account: int) -> str:
    cents = bookings(account)
    amount = balance(cents)
    return json.dumps({"account": account, "balance": str(amount), "interest": interest(amount)})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        if self.path == "/health":
            return self.answer(b"{}")
        account = int(self.path.rpartition("=")[2] or 0) % 25
        text = statement(account)
        if self.path.startswith("/signed"):
            return self.answer(signature(text).encode())
        return self.answer(packed(text))

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
