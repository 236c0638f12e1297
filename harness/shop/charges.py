"""The payment vendor's books: every charge by its key, in a lasting file or in memory."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable

from harness.shop.errors import ShopStartError

PAID, DECLINED, VOIDED = "paid", "declined", "voided"
_TABLE = """
CREATE TABLE IF NOT EXISTS charges
(key TEXT PRIMARY KEY, sale TEXT, order_id INTEGER, amount_cents INTEGER, status TEXT)
"""


class Charges:
    """Charges in the SQLite file at ``path``. To be used by one thread at a time."""

    def __init__(self, path: str = ":memory:") -> None:
        """Raises `ShopStartError` if the file cannot be used."""
        try:
            self._books = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._books.execute("PRAGMA journal_mode = WAL")
            self._books.execute("PRAGMA synchronous = OFF")  # it must outlive the process, not the machine
            self._books.execute(_TABLE)
        except sqlite3.Error as error:
            raise ShopStartError(f"--books {path}: {error}") from error

    def charge(
        self, key: str | None, sale: str, order_id: int | None, amount_cents: int, decide: Callable[[], bool]
    ) -> str:
        """The status of the charge under ``key``: what it was the first time. Without a key, each is a first time.

        ``decide`` says whether a new charge is paid.
        """
        key = key or uuid.uuid4().hex
        status = self.status(key)
        if status is None:
            status = PAID if decide() else DECLINED
            row = (key, sale, order_id, amount_cents, status)
            self._books.execute("INSERT INTO charges VALUES (?, ?, ?, ?, ?)", row)
        return status

    def void(self, key: str) -> None:
        """Undoes the charge under ``key``. One that arrives later under this key is refused."""
        self._books.execute(
            "INSERT INTO charges (key, status) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET status = ?2",
            (key, VOIDED),
        )

    def status(self, key: str) -> str | None:
        """None where nothing is known under ``key``."""
        row = self._books.execute("SELECT status FROM charges WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def of(self, sale: str) -> list[tuple[int, int]]:
        """Each order of ``sale`` that is charged, and how many times."""
        query = "SELECT order_id, count(*) FROM charges WHERE sale = ? AND status = ? GROUP BY order_id"
        return self._books.execute(query, (sale, PAID)).fetchall()

    def close(self) -> None:
        self._books.close()
