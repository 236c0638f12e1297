"""Secrets in texts made ``***`` before they are recorded: tokens, passwords, cookies, credentials in URLs.

Found by name (``password=…``, ``"access_token": "…"``, ``--api-key …``, ``Cookie: …``, a query's parameters) and by
pattern (``Bearer …``, ``Basic …``, a JWT, ``https://user:password@host``). In doubt a text is masked.

A text is masked where it enters the record, once: in the worker that recorded a failure, in the stream a log is written
by, where the plan is written. All that is made of the record (summary, reports, store) holds no more than it. The names
are the process's: those below, and what :func:`add_names` was given. What was a secret's name once stays one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

MASK = "***"

_NAMES = (
    *("password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "api_key", "accesskey", "access_key"),
    *("privatekey", "private_key", "credential", "authorization", "cookie", "session_id", "sessionid", "sessid"),
    *("signature", "csrf", "xsrf"),
)
"""A name that holds one of these is a secret's; ``_`` stands for any of ``_``, ``-``, space and dot, or for none."""
_QUERY_ONLY = ("key", "auth", "sig", "code", "sid", "pass", "pw")
"""These are secrets' names in the query of a URL alone; elsewhere they are words."""
_HINTS = ("bearer", "basic", "digest", "negotiate", "eyj", "private key", *(f"{name}=" for name in _QUERY_ONLY))
_LONGEST_CACHED = 500

_QUOTE = r"\\*[\"']"
_VALUE = (
    r"(?:"
    r"(?P<quote>\\*[\"'])(?:(?!(?<!\\)(?P=quote)).)*(?P=quote)?"  # quoted, perhaps within a text that is quoted itself
    r"|b'[^']*'?|b\"[^\"]*\"?"
    r"|\{[^{}]*\}?|\[[^\[\]]*\]?"
    r"|(?:bearer|basic|digest|token)\s+[^\s\"'&;,<>]+"
    r"|[^\s\"'&;,<>()\[\]{}\\]+"
    r")"
)
_PATTERNS = (
    # URL userinfo (RFC 3986, 3.2.1)
    (re.compile(r"(?<=://)[^\s/?#\"'<>]*@"), f"{MASK}@"),
    # The credentials of an authentication scheme (RFC 9110, 11.4)
    (re.compile(r"\b(Bearer)[ \t]+(?!realm\b)[\w.~+/=-]+", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"\b(Basic|Digest|Negotiate)[ \t]+(?=[a-z]*[A-Z0-9+/=])(?!realm\b)[\w.~+/=-]{4,}"), rf"\1 {MASK}"),
    # A JSON web token (RFC 7519), also one that was cut off
    (re.compile(r"\beyJ[\w-]{6,}(?:\.[\w-]*){0,4}"), MASK),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    (re.compile(rf"(?<=[?&;])({'|'.join(_QUERY_ONLY)})=[^\s&;#\"'<>]+", re.IGNORECASE), rf"\1={MASK}"),
)
# What these headers hold has blanks in it: all up to the line's end, or to the quote that the header stands in.
_HEADERS = re.compile(
    rf"((?:proxy-)?authorization|(?:set-)?cookie2?)({_QUOTE})?(\s{{0,3}}[:=,]\s{{0,3}})({_QUOTE})?(?:(?!{_QUOTE})[^\r\n])+",
    re.IGNORECASE,
)


class _Masker:
    """The patterns for one set of names."""

    def __init__(self, own: frozenset[str]) -> None:
        self.own = own
        names = [
            re.escape(name).replace("_", r"[-_. ]?").replace(r"\-", r"[-_. ]?") for name in (*_NAMES, *sorted(own))
        ]
        # Longest first: of two that begin alike the longer is meant.
        named = "|".join(sorted(names, key=len, reverse=True))
        self.is_secret = re.compile(named, re.IGNORECASE).search
        self._named = re.compile(
            rf"((?:{named})(?![\w.-]{{0,40}}\.\w{{1,3}}:\d)[\w.-]{{0,40}}(?:{_QUOTE}|\])?\s{{0,3}}(?:=>|[:=]|%3D)\s{{0,3}}){_VALUE}",
            re.IGNORECASE,
        )
        self._option = re.compile(
            rf"((?<![\w-])--?[\w-]{{0,40}}?(?:{named})[\w-]{{0,40}}\s+)(?!-)[^\s\"']+", re.IGNORECASE
        )
        parts = {part for name in (*_NAMES, *own) for part in [re.split(r"[-_. ]", name.lower())[0]]}
        self._hints = (*_HINTS, *sorted(parts))
        self.short = lru_cache(maxsize=4096)(self._masked)

    def text(self, text: str) -> str:
        return self.short(text) if len(text) <= _LONGEST_CACHED else self._masked(text)

    def _masked(self, text: str) -> str:
        low = text.lower()
        if not any(hint in low for hint in self._hints) and not ("://" in low and "@" in low):
            return text
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        text = _HEADERS.sub(lambda found: f"{found[1]}{found[2] or ''}{found[3]}{found[4] or ''}{MASK}", text)
        text = self._option.sub(rf"\1{MASK}", text)
        return self._named.sub(_value_masked, text)


def _value_masked(found: re.Match[str]) -> str:
    quote = found["quote"] or ""
    return f"{found[1]}{quote}{MASK}{quote}"


_masker = _Masker(frozenset())


def add_names(names: Iterable[str]) -> None:
    """What the user's own secrets are called, beside the usual ones; in this process, from now on."""
    global _masker
    own = _masker.own | {name.strip().lower() for name in names if name.strip()}
    if own != _masker.own:
        _masker = _Masker(own)


def masked(text: str) -> str:
    """``text`` with :data:`MASK` in the place of each secret that was found in it."""
    return _masker.text(text)


def masked_words(words: Sequence[str]) -> tuple[str, ...]:
    """The words of a command line: also what follows ``--password``."""
    found: list[str] = []
    is_value = False
    for word in words:
        is_option = word.startswith("-")
        found.append(MASK if is_value and not is_option else masked(word))
        is_value = is_option and "=" not in word and bool(_masker.is_secret(word))
    return tuple(found)


def masked_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Values by name, as in a process's environment: masked whole where the name is a secret's."""
    return {name: MASK if value and _masker.is_secret(name) else masked(value) for name, value in settings.items()}


def mask_file(path: Path) -> None:
    """Mask a text file that others have written, line by line; nothing where there is none. Nobody may write to it."""
    if not path.is_file():
        return
    changed = False
    other = path.with_name(f".{path.name}.masked")
    with path.open("rb") as lines, other.open("wb") as instead:
        for line in lines:
            text = line.decode("utf-8", "surrogateescape")
            hidden = masked(text)
            changed |= hidden != text
            instead.write(line if hidden == text else hidden.encode("utf-8", "surrogateescape"))
    if changed:
        other.chmod(path.stat().st_mode)
        other.replace(path)
    else:
        other.unlink()


_LONGEST_LINE = 1 << 16


class MaskedStream(io.TextIOBase):
    """A text stream (standard error, say) whose lines are masked, each when it is whole; what is flushed before that
    could be half a secret, and waits for the rest.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rest = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # as every text stream has it
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    def __getattr__(self, name: str) -> Any:
        """What scenarios do with a standard stream besides (``buffer``, ``reconfigure``) goes past the mask."""
        return getattr(self._stream, name)

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        whole, newline, rest = (self._rest + text).rpartition("\n")
        self._rest = rest
        if len(rest) > _LONGEST_LINE:
            whole, newline, self._rest = whole + newline + rest, "", ""
        if whole or newline:
            self._stream.write(masked(whole) + newline)
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Write what has no line's end yet."""
        if self._rest:
            self._stream.write(masked(self._rest))
            self._rest = ""
        self._stream.flush()
