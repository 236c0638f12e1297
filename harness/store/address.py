"""Which database the store is: ``HARNESS_STORE``, or ``store.sqlite`` in the folder of the runs.

The default lies beside the run folders, so that a folder of runs is complete in itself: copied or archived, it still
knows its baselines.
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
_FORMS = "sqlite:////absolute/path/store.sqlite, or postgresql://user@host/database with PGPASSWORD or ~/.pgpass"


@dataclass(frozen=True, slots=True)
class Address:
    """A database as SQLAlchemy opens it (``url``) and as people may see it (``shown``: no password in it)."""

    url: URL
    shown: str
    file: Path | None = None
    """The file of a SQLite store; None also for SQLite's own ``file:`` URIs, which may mean other things."""

    def without_secrets(self, text: str) -> str:
        """``text`` (a driver's message) with this address's passwords redacted."""
        secrets = [str(self.url.password or ""), *(str(self.url.query.get(key, "")) for key in _SECRET)]
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        return text


def resolve(url: str | None, reports: Path) -> Address:
    """The address that ``url`` names; ``None``: ``HARNESS_STORE``, and where that is not set, the file in ``reports``.

    Raises :class:`HarnessError` where it is no URL of SQLite or PostgreSQL. The message never repeats a URL that
    could not be read, for it may hold a password.
    """
    text = url if url is not None else os.environ.get(VARIABLE)
    if not text:
        return _file(URL.create("sqlite", database=str(reports / FILE_NAME)))
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError) as fault:  # ValueError: a port that is no number
        raise HarnessError("not the URL of a database", where=VARIABLE, hint=f"Give {_FORMS}") from fault
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise HarnessError("the URL names no file", where=VARIABLE, hint=f"Give {_FORMS}")
        return _file(parsed)
    if parsed.drivername not in _POSTGRESQL:
        raise HarnessError(
            f"the store is SQLite or PostgreSQL, not {parsed.drivername!r}", where=VARIABLE, hint=f"Give {_FORMS}"
        )
    parsed = parsed.set(drivername="postgresql+psycopg")
    redacted = parsed.set(drivername="postgresql")
    redacted = redacted.update_query_dict({key: "***" for key in _SECRET if key in redacted.query})
    return Address(parsed, redacted.render_as_string(hide_password=True))


def _file(url: URL) -> Address:
    name = str(url.database)
    if "\0" in name:
        raise HarnessError("a file's name holds no NUL", where=VARIABLE, hint=f"Give {_FORMS}")
    return Address(url, name, file=None if name.startswith("file:") else Path(name))
