"""Which reasons of a check are alike, so that the few that are kept show different ones."""

from __future__ import annotations

import re

_TIME = re.compile(r"\d+(?= ms)")


def kind_of_reason(text: str) -> str:
    """The reason without times: ``within 200ms: 201 ms`` and ``within 200ms: 340 ms`` are alike."""
    return _TIME.sub("", text)
