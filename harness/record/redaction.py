"""Replaces secrets in texts by ``***`` before they are recorded.

Secrets are found by name (``password=…``, ``"access_token": "…"``, ``--api-key …``, ``Cookie: …``, ``?token=…``) and
by form (``Bearer …``, ``Basic …``, a JSON web token, a private key, the part before the ``@`` of a URL). In doubt a
text is redacted. docs/guard-rails.md says what is promised.

A text is redacted once, where it enters the record: in the worker that recorded a failure, in the stream that a log is
written by, where the plan is made. Everything made of the record (summary, reports, store) holds no more than it does.

A text may be hostile, so no pattern may take long: repetitions are bounded, possessive, or cannot fail.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

REDACTED = "***"

_NAMES = (
    *("password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "api_key", "accesskey", "access_key"),
    *("privatekey", "private_key", "credential", "authorization", "cookie", "session_id", "sessionid", "sessid"),
    *("signature", "csrf", "xsrf"),
)
"""A name that contains one of these is a secret's; ``_`` matches ``_``, ``-``, space, dot or nothing."""
_LAST_PARTS = ("pass", "key", "auth", "pw", "sig", "pat")
"""A setting or an option whose last part is one of these (``DB_PASS``, ``--stripe-key``) is a secret's."""
_QUERY_ONLY = ("key", "auth", "sig", "code", "sid", "pass", "pw")
"""Secrets' names in the query of a URL; elsewhere they are ordinary words."""
_HINTS = (
    *("bearer", "basic", "digest", "negotiate", "eyj", "private key"),
    *(f"{name}=" for name in _QUERY_ONLY),
    *(f"{joint}{part}" for part in _LAST_PARTS for joint in "_-"),
)
"""A lowered text without any of these, of a secret's name and of ``@`` after ``:/`` has nothing to redact."""
_LONGEST_CACHED = 500

_QUOTE = r"\\{0,3}[\"']"  # also within a text that was quoted itself
_QUOTED = (  # over several lines where it has an end, else to the end of the line
    rf"[bru]{{0,2}}(?P<quote>{_QUOTE})(?:(?:(?!(?<!\\)(?P=quote)).)*+(?P=quote)(?:\w\S*)?|[^\r\n]*)"
)
_AFTER_QUOTE = r"(?:[\s,;:)\]}]|\Z)"  # a quote before one of these ends the text that contains the value
_STOP = r"[,;](?:\s|\Z)"  # punctuation of the sentence
_SHELL_PIECE = r"(?:\"(?:[^\"\\]|\\.)*+\"|'[^']*+'|\\.|\S)"
_VALUE = (
    r"(?:"
    r"\*\*\*(?=[\s,;&#<>\"'\\)\]}]|\Z)"  # redacted before
    rf"|{_QUOTED}"
    r"|\{[^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+\}?(?:\w\S*)?|\[[^\[\]]*+\]?(?:\w\S*)?"
    rf"|(?:(?:bearer|basic|digest|token)\s{{1,9}})?(?:(?!\\{{0,3}}[\"']{_AFTER_QUOTE}|{_STOP})\S)+"
    r")"
)
_QUERY_VALUE = rf"(?:(?!'{_AFTER_QUOTE})[^\s&#\"<>])+"
_KEY_BEGINS = r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_KEY_ENDS = r"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_HEADER = r"(?:(?:proxy-)?authorization|(?:set-)?cookie2?)"
_UP_TO_QUOTE = r"(?!\*\*\*)(?:(?!(?<!\\)(?P=quote))[^\r\n])++"
_UP_TO_LINE_END = r"(?!\*\*\*)[^\r\n]++"
_FIELD = r"[\w.:\[\]-]{0,40}"

_Replacement = str | Callable[[re.Match[str]], str]


def _redacted_basic(found: re.Match[str]) -> str:
    """Redacts ``basic`` followed by base64 of ``user:password`` (RFC 7617), not by another word."""
    digits = found[2].rstrip("=")  # may have been cut off: as many as are whole bytes
    pair = base64.b64decode(digits[: len(digits) // 4 * 4], altchars=b"-_")
    return f"{found[1]} {REDACTED}" if b":" in pair else found[0]


_BY_FORM: tuple[tuple[re.Pattern[str], _Replacement], ...] = (
    # The user info of a URL (RFC 3986, 3.2.1), where a name alone may be a token. Our own hints have sftp://user@host.
    # JSON may escape the slashes; a quote that ends a text is not part of it.
    (
        re.compile(
            r"(:(?:\\{0,3}/){2})(?!user@[^\s/?#\"'<>@]*(?:[\s/?#\"'<>]|\Z))"
            r"(?:[^\s/?#\"'<>]|'(?![\s,;:)\]}]))*@"
        ),
        rf"\1{REDACTED}@",
    ),
    # The same in the query of another URL
    (
        re.compile(r"(%3A(?:%2F){2})(?:[^\s/?#&\"'<>%]|%(?!2F|3F|23|26|2[027]|3C|3E))*(%40|@)", re.IGNORECASE),
        rf"\1{REDACTED}\2",
    ),
    # The credentials of an authentication scheme (RFC 9110, 11.4)
    (re.compile(r"\b(Bearer)[ \t]+(?!realm\b)[\w.~+/=-]+", re.IGNORECASE), rf"\1 {REDACTED}"),
    (
        re.compile(r"\b(Basic|Digest|Negotiate)[ \t]+(?=[a-z]*[A-Z0-9+/=])(?!realm\b)[\w.~+/=-]{4,}"),
        rf"\1 {REDACTED}",
    ),
    (re.compile(r"\b(basic)[ \t]+([\w+/-]{8,}=*)", re.IGNORECASE | re.ASCII), _redacted_basic),
    # A JSON web token (RFC 7519), also one that was cut off
    (re.compile(r"\beyJ[\w-]{6,}(?:\.[\w-]*){0,4}"), REDACTED),
    (re.compile(rf"{_KEY_BEGINS}.*?(?:{_KEY_ENDS}|\Z)", re.DOTALL), REDACTED),
    (re.compile(rf"(?<=[?&;])({'|'.join(_QUERY_ONLY)})={_QUERY_VALUE}", re.IGNORECASE), rf"\1={REDACTED}"),
    # Headers whose values have blanks and quotes: "Cookie: …" quoted as a whole, its value quoted, nothing quoted
    *(
        (re.compile(pattern, re.IGNORECASE), rf"\1{REDACTED}")
        for pattern in (
            rf"((?P<quote>{_QUOTE}){_HEADER}\s{{0,3}}[:=][ \t]{{0,3}}+){_UP_TO_QUOTE}",
            rf"({_HEADER}(?:{_QUOTE}\s{{0,3}}[:=,]|\s{{0,3}}=)\s{{0,3}}[bru]{{0,2}}(?P<quote>{_QUOTE})){_UP_TO_QUOTE}",
            rf"({_HEADER}(?:{_QUOTE}\s{{0,3}}[:=,]|\s{{0,3}}=)[ \t]{{0,3}}+)"
            rf"(?![\[{{]|[bru]{{0,2}}{_QUOTE}){_UP_TO_LINE_END}",
            rf"({_HEADER}\s{{0,3}}:[ \t]{{0,3}}+){_UP_TO_LINE_END}",
        )
    ),
)

private_key_begins = re.compile(_KEY_BEGINS).search
private_key_ends = re.compile(_KEY_ENDS).search
_is_setting = re.compile(r"[\w.:\[\]-]+").fullmatch


class _Redactor:
    """The patterns for one set of names: the usual ones and the user's ``own``."""

    def __init__(self, own: frozenset[str]) -> None:
        self.own = own
        names = (*_NAMES, *sorted(own))
        # Longest first: of two that begin alike the longer is meant.
        escaped = (re.escape(name).replace("_", r"[-_. ]?").replace(r"\-", r"[-_. ]?") for name in names)
        named = "|".join(sorted(escaped, key=len, reverse=True))
        last = "|".join(_LAST_PARTS)
        both = re.IGNORECASE | re.DOTALL
        self._holds_name = re.compile(named, re.IGNORECASE).search
        self._hints = (*_HINTS, *sorted({re.split(r"[-_. ]", name.lower())[0] for name in names}))
        self._by_name: tuple[tuple[re.Pattern[str], _Replacement], ...] = (
            # An option; its value is a word as shells read it, and one whose quote has no end goes to the next blank.
            (
                re.compile(
                    rf"((?<![\w-])--?[\w-]{{0,40}}?(?:(?:{named})[\w-]{{0,40}}|(?<=[-_])(?:{last}))(?:\s{{1,9}}(?!-)|=))"
                    rf"{_SHELL_PIECE}(?:(?!\\{{0,3}}[\"']{_AFTER_QUOTE}|{_STOP}){_SHELL_PIECE})*+",
                    both,
                ),
                rf"\1{REDACTED}",
            ),
            # ("password", "…"), and a command line as a list
            (
                re.compile(
                    rf"((?P<around>{_QUOTE})-{{0,2}}{_FIELD}?(?:{named}){_FIELD}(?P=around),\s{{0,3}})"
                    rf"(?!{_QUOTE}-){_QUOTED}",
                    both,
                ),
                _redacted_value,
            ),
            (
                re.compile(
                    rf"([?&][\w.%\[\]-]{{0,40}}?(?:{named})[\w.%\[\]-]{{0,40}}?(?:=|%3D)){_QUERY_VALUE}", re.IGNORECASE
                ),
                rf"\1{REDACTED}",
            ),
            # password=…, "password": …, user[password] = …; not token.py:7, token.py: …
            (
                re.compile(
                    rf"((?:{named}|(?-i:(?<=[A-Z0-9]_)(?:{last.upper()})\b))"
                    rf"(?![\w.-]{{0,40}}\.(?:\w{{1,3}}:\d|(?:py|toml): ))"
                    rf"[\w.-]{{0,40}}(?:{_QUOTE}|\])?\s{{0,3}}(?:=>|[:=]|%3[AD])\s{{0,3}})"
                    rf"{_VALUE}",
                    both,
                ),
                _redacted_value,
            ),
        )
        self.short = lru_cache(maxsize=4096)(self._redacted)

    def is_secret(self, name: str) -> bool:
        """Of a setting or an option."""
        return bool(self._holds_name(name)) or re.split(r"[-_.]", name.lower())[-1] in _LAST_PARTS

    def text(self, text: str) -> str:
        return self.short(text) if len(text) <= _LONGEST_CACHED else self._redacted(text)

    def may_hold_secret(self, text: str) -> bool:
        low = text.lower()
        for hint in self._hints:  # a fifth faster than any(…), and most lines of a log cost nothing else
            if hint in low:
                return True
        return ("@" in low and (":/" in low or ":\\" in low)) or ("%2f" in low and ("%40" in low or "@" in low))

    def _redacted(self, text: str) -> str:
        if not self.may_hold_secret(text):
            return text
        for pattern, replacement in (*_BY_FORM, *self._by_name):
            text = pattern.sub(replacement, text)
        return text


def _redacted_value(found: re.Match[str]) -> str:
    quote = found["quote"] or ""
    return f"{found[1]}{quote}{REDACTED}{quote}"


_of_this_process = _Redactor(frozenset())


def add_secret_names(names: Iterable[str]) -> None:
    """Redact the user's own names of secrets, too, in this process from now on."""
    global _of_this_process
    own = _of_this_process.own | {name.strip().lower() for name in names if name.strip()}
    if own != _of_this_process.own:
        _of_this_process = _Redactor(own)


def redacted(text: str) -> str:
    """``text`` with :data:`REDACTED` in place of each secret that was found in it."""
    return _of_this_process.text(text)


def may_hold_secret(text: str) -> bool:
    """False only if :func:`redacted` would not change ``text``; many times as fast."""
    return _of_this_process.may_hold_secret(text)


def is_secret(name: str) -> bool:
    """Whether the value of a setting or an option of that name is a secret."""
    return _of_this_process.is_secret(name)


def redacted_words(words: Sequence[str]) -> tuple[str, ...]:
    """The words of a command line, without what follows ``--password`` and without the value of ``SECRET=VALUE``."""
    found: list[str] = []
    is_value = False
    for word in words:
        is_option = word.startswith("-")
        name, equals, value = word.partition("=")
        if is_value and not is_option:
            found.append(REDACTED)
        elif value and _is_setting(name) and is_secret(name):
            found.append(f"{name}={REDACTED}")
        else:
            found.append(redacted(word))
        is_value = is_option and not equals and is_secret(word)
    return tuple(found)


def redacted_command(command: str) -> str:
    """A command line in one text, as :func:`shlex.split` reads it; unchanged where it holds no secret."""
    try:
        words = shlex.split(command)
    except ValueError:  # a quote without an end, which is reported elsewhere
        return redacted(command)
    hidden = redacted_words(words)
    return redacted(command if hidden == tuple(words) else " ".join(map(_as_word, hidden)))


def _as_word(word: str) -> str:
    """Quoted only where it must be: no shell will see it, and ``{port}`` and ``***`` are to stay readable."""
    return word if re.fullmatch(r"[^\s\"'\\]+", word) else shlex.quote(word)


def redacted_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Values by name, as in a process's environment; those of secrets' names are redacted as a whole."""
    return {name: REDACTED if value and is_secret(name) else redacted(value) for name, value in settings.items()}
