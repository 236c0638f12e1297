"""An open store's database: transactions that read, transactions that write, and what its rows hold as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from harness.errors import HarnessError
from harness.store.address import Address
from harness.store.engine import reported_errors, writer

_Model = TypeVar("_Model", bound=BaseModel)


class Database:
    """What the parts of a store share. Use it in a ``with``."""

    def __init__(self, engine: Engine, address: Address, reports: Path) -> None:
        self._engine = engine
        self._address = address
        self._reports = reports

    @property
    def shown(self) -> str:
        """The store as people may see it: its file, or its URL without the password."""
        return self._address.shown

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with reported_errors(self._address), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with reported_errors(self._address), Session(writer(self._engine)) as session, session.begin():
            yield session

    def _parsed(self, text: str | None, model: type[_Model], what: str, run_id: str) -> _Model:
        """What a run's row holds as JSON."""
        try:
            return model.model_validate_json(text or "")
        except ValidationError as error:
            raise HarnessError("store-row-damaged", where=self.shown, what=what, run_id=run_id) from error


def given(**filters: str | None) -> dict[str, str]:
    return {column: value for column, value in filters.items() if value is not None}
