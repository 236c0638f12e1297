"""The base of all parts of a plan: frozen, without unknown keys, printable without secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict

from harness.record.redaction import redacted, redacted_settings


@dataclass(frozen=True)
class Redacted:
    """Marks a field that may hold secrets: ``Annotated[str, Redacted(redacted)]``. ``by`` replaces them by ``***``."""

    by: Callable[[Any], object]


RedactedText = Annotated[str, Redacted(redacted)]
RedactedSettings = Annotated[dict[str, str], Redacted(redacted_settings)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def redacted(self) -> Self:
        """As it may be recorded and shown, with ``***`` for each secret, in its parts too."""
        fields = type(self).model_fields
        return self.model_copy(update={name: _redacted(value, fields[name].metadata) for name, value in self})


def _redacted(value: Any, metadata: Iterable[object] = ()) -> object:
    mark = next((each for each in metadata if isinstance(each, Redacted)), None)
    if mark is not None:
        return value and mark.by(value)
    if isinstance(value, Frozen):
        return value.redacted()
    return tuple(map(_redacted, value)) if isinstance(value, tuple) else value
