"""Makes texts from outside (a target, a scenario, a store) harmless to terminals, logs and CI servers."""

from __future__ import annotations

import re

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]{0,2048}(?:\x07|\x1b\\)|[@-Z\\^_])")
_COMMAND = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")
_STEERING = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")
"""Controls a terminal, changes the direction of text, breaks a line where few expect it, or is not a character."""
_ANY = re.compile(f"{_CONTROL.pattern}|{_STEERING.pattern}")
"""Whatever makes a text not plain has one of these."""
_DIGITS = re.compile(r"(\d+)", re.ASCII)


def plain(text: str) -> str:
    """``text`` without terminal colours, its control characters made visible (NUL: ``␀``).

    Lone surrogates, characters that change the direction of text, and unusual line breaks become ``�``.
    """
    if _ANY.search(text) is None:
        return text
    text = _ANSI.sub("", text.replace("\r\n", "\n"))
    text = _CONTROL.sub(lambda found: chr(0x2400 + ord(found[0])), text)
    return _STEERING.sub("\ufffd", text)


def is_utf8(text: str) -> bool:
    """Whether files and JSON can hold it: a file name or an argument may be any bytes."""
    return text == text.encode(errors="replace").decode()


def one_line(text: str) -> str:
    """``text``, which may come from the target, as one line without control characters."""
    return " ".join(plain(text).split())


def steering_escaped(json: str) -> str:
    """JSON in which characters that steer a terminal are escaped: JSON itself allows them."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", json)


def no_commands(text: str) -> str:
    """``text`` for a log, so that a CI server takes no line of it for a command.

    GitHub: ``::error::``, ``##[error]``; Azure: ``##vso[…]``; TeamCity: ``##teamcity[…]``.
    """
    return _COMMAND.sub(lambda found: f"{found[0][:-1]} {found[0][-1]}", text)


def natural(text: str) -> list[tuple[int, str]]:
    """A key to sort names by as people do: ``ep2`` before ``ep10``."""
    parts = _DIGITS.split(text)
    return [(len(part.lstrip("0")) if place % 2 else 0, part) for place, part in enumerate(parts)]
