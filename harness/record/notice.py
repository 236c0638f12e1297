"""A sentence as ``summary.json`` and other public files hold it."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from harness.messages import Message, Option


class Notice(BaseModel):
    """A sentence for a person, and what it was made from: programs read ``code`` and ``params``."""

    code: str
    params: dict[str, Any] = {}
    text: str

    @classmethod
    def of(cls, message: Message) -> Self:
        """``message`` as JSON holds it."""
        params = {
            name: str(value) if isinstance(value, Option) else to_jsonable_python(value, fallback=str)
            for name, value in message.params.items()
        }
        return cls(code=message.code, params=params, text=str(message))

    def message(self) -> Message:
        """The message again; its sentence is the one that was written."""
        return Message(self.code, self.params, self.text)
