"""The database of the store: ``HARNESS_STORE``, or ``store.sqlite`` in the folder of the runs.

By default it is beside the run folders, so that a folder of runs keeps its baselines when it is copied or archived.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from harness.errors import HarnessError

VARIABLE = "HARNESS_STORE"
FILE_NAME = "store.sqlite"

_SECRET = ("password", "sslpassword")
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Address:
    """A database: ``url`` for SQLAlchemy, and ``shown`` for people, without a password."""

    url: URL
    shown: str
    file: Path | None = None
    """The file of a SQLite store; None also for SQLite's ``file:`` URIs, which need not name a file."""

    def without_secrets(self, text: str) -> str:
        """``text`` (a driver's message) with this address's passwords redacted."""
        secrets = [str(self.url.password or ""), *(str(self.url.query.get(key, "")) for key in _SECRET)]
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        return text


def resolve(url: str | None, reports: Path) -> Address:
    """The address of ``url``; if it is None, that of ``HARNESS_STORE``, or else of the file in ``reports``.

    Raises :class:`HarnessError` if it is not a URL of SQLite or PostgreSQL. The message never repeats an unreadable
    URL, which may contain a password.
    """
    text = url if url is not None else os.environ.get(VARIABLE)
    if not text:
        return _file(URL.create("sqlite", database=str(reports / FILE_NAME)))
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError) as error:  # ValueError: the port is not a number
        raise HarnessError("store-url-invalid", where=VARIABLE) from error
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise HarnessError("store-url-without-file", where=VARIABLE)
        return _file(parsed)
    if parsed.drivername not in _POSTGRESQL:
        raise HarnessError("store-kind-unknown", where=VARIABLE, kind=parsed.drivername)
    parsed = parsed.set(drivername="postgresql+psycopg")
    redacted = parsed.set(drivername="postgresql")
    redacted = redacted.update_query_dict({key: "***" for key in _SECRET if key in redacted.query})
    return Address(parsed, redacted.render_as_string(hide_password=True))


def _file(url: URL) -> Address:
    name = str(url.database)
    if "\0" in name:
        raise HarnessError("store-url-with-nul", where=VARIABLE)
    return Address(url, name, file=None if name.startswith("file:") else Path(name))
