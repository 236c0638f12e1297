"""Media types and their ranges: which of those that a document names describes a response."""

from __future__ import annotations

from collections.abc import Iterable
from email.message import Message
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

_REMEMBERED = 1024


class MediaType(NamedTuple):
    """``application/json; v=2``, all in lower case."""

    name: str
    parameters: frozenset[tuple[str, str]]


@lru_cache(_REMEMBERED)
def media_type(text: str) -> MediaType:
    """What a header or a key of a document says."""
    header = Message()
    header["content-type"] = " ".join(text.lower().split())
    (name, _), *parameters = header.get_params([("", "")])
    return MediaType(name.strip(), frozenset(parameters))


def is_json(text: str) -> bool:
    """Whether bodies of that media type are JSON: ``application/json``, ``application/problem+json``."""
    return media_type(text).name.endswith(("/json", "+json"))


def best(known: Iterable[str], text: str) -> str | None:
    """Which of ``known`` describes a media type best: itself, its range, then any; None: none does.

    Parameters tell those apart that are otherwise alike. One that stands alone may lack them, as ``charset`` often is.
    """
    given = media_type(text)
    fitting = {key: media_type(key) for key in known if fnmatchcase(given.name, media_type(key).name)}
    exact = [key for key, one in fitting.items() if one.parameters <= given.parameters]
    if not exact and len(fitting) == 1:
        return next(iter(fitting))
    return min(exact, key=lambda key: (fitting[key].name.count("*"), -len(fitting[key].parameters)), default=None)
