"""Secrets in texts made ``***`` before they are recorded: tokens, passwords, cookies, credentials in URLs.

Found by name (``password=…``, ``"access_token": "…"``, ``--api-key …``, ``Cookie: …``, in queries, forms and XML) and
by pattern (``Bearer …``, ``Basic …``, a JWT, what stands before the ``@`` in a URL). In doubt a text is masked.

A text is masked where it enters the record, once: in the worker that recorded a failure, in the stream a log is written
by, where the plan is written. All that is made of the record (summary, reports, store) holds no more than it. The names
are the process's: those below, and what :func:`add_secret_names` was given. What was a secret's name once stays one.

Whoever wrote a text may mean harm, so none may take long: repetitions are bounded, or possessive, or never fail.
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
"""A name that holds one of these is a secret's; ``_`` stands for any of ``_``, ``-``, space and dot, or for none."""
_LAST_PARTS = ("pass", "key", "auth", "pw", "sig", "pat")
"""A setting or an option whose last part is one of these (``DB_PASS``, ``--stripe-key``) is a secret's."""
_QUERY_ONLY = ("key", "auth", "sig", "code", "sid", "pass", "pw")
"""These are secrets' names in the query of a URL alone; elsewhere they are words."""
_HINTS = (
    *("bearer", "basic", "digest", "negotiate", "eyj", "private key"),
    *(f"{name}=" for name in _QUERY_ONLY),
    *(f"{joint}{part}" for part in _LAST_PARTS for joint in "_-"),
)
_LONGEST_CACHED = 500

_BACKSLASHES = r"\\{0,15}"  # of a text that was quoted four times over
_QUOTE = rf"(?:{_BACKSLASHES}[\"']|&(?:quot|apos|#34|#39|#x27);|%2[27])"
_QUOTED = (  # over many lines where it has an end; else up to the line's
    rf"[bru]{{0,2}}(?P<quote>{_QUOTE})(?:(?:(?!(?<!\\)(?P=quote)).)*+(?P=quote)(?:\w\S*)?|[^\r\n]*)"
)
_AFTER_QUOTE = r"(?:[\s,;:)\]}]|\Z)"  # such a quote ends what an unquoted value stands in
_STOP = r"[,;](?:\s|\Z)"  # belongs to the sentence
_SHELL_PIECE = r"(?:\"(?:[^\"\\]|\\.)*+\"|'[^']*+'|\\.|\S)"
_VALUE = (
    r"(?:"
    r"\*\*\*(?=[\s,;&#<>\"'\\)\]}]|\Z)"  # masked before
    rf"|{_QUOTED}"
    r"|\{[^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+\}?(?:\w\S*)?|\[[^\[\]]*+\]?(?:\w\S*)?"
    rf"|(?:(?:bearer|basic|digest|token)\s{{1,9}})?(?:(?!{_BACKSLASHES}[\"']{_AFTER_QUOTE}|{_STOP})\S)+"
    r")"
)
_QUERY_VALUE = rf"(?:(?!'{_AFTER_QUOTE})[^\s&#\"<>])+"
_KEY_BEGINS = r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_KEY_ENDS = r"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_HEADER = r"(?:(?:proxy-)?authorization|(?:set-)?cookie2?)"
_UP_TO_QUOTE = r"(?!\*\*\*)(?:(?!(?<!\\)(?P=quote))[^\r\n])++"
_UP_TO_LINE_END = r"(?!\*\*\*)[^\r\n]++"
_ENCODED = "%(?:25){0,3}"  # a character of a URL that stands in another's query, four times over


def _redacted_basic(found: re.Match[str]) -> str:
    """Where it is a word, "basic" has another word behind it, and not ``user:password`` (RFC 7617) in base64."""
    digits = found[2].rstrip("=")  # it may have been cut off: as many as are whole bytes
    pair = base64.b64decode(digits[: len(digits) // 4 * 4], altchars=b"-_")
    return f"{found[1]} {REDACTED}" if b":" in pair else found[0]


def _redacted_rest(found: re.Match[str]) -> str:
    return f"{found[1]}{REDACTED}"


_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # First what must stand in the lowered text, any of it: it is found many times as fast as the pattern.
    # URL userinfo (RFC 3986, 3.2.1): a name alone may be a token. The one of our own advice, user@host, is none.
    # JSON may have the slashes escaped; a quote that ends a text is none of it.
    (
        ("@",),
        re.compile(
            r"(:(?:\\{0,15}/){2})(?!user@[^\s/?#\"'<>@]*(?:[\s/?#\"'<>]|\Z))"
            r"(?:[^\s/?#\"'<>]|'(?![\s,;:)\]}]))*@"
        ),
        rf"\1{REDACTED}@",
    ),
    (
        ("2f%",),
        re.compile(
            rf"({_ENCODED}3A(?:{_ENCODED}2F){{2}})"
            rf"(?:[^\s/?#&\"'<>%]|%(?!(?:25){{0,3}}(?:2F|3F|23|26|2[027]|3C|3E)))*({_ENCODED}40|@)",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}\2",
    ),
    # The credentials of an authentication scheme (RFC 9110, 11.4)
    (("bearer",), re.compile(r"\b(Bearer)[ \t]+(?!realm\b)[\w.~+/=-]+", re.IGNORECASE), rf"\1 {REDACTED}"),
    (
        ("basic", "digest", "negotiate"),
        re.compile(r"\b(Basic|Digest|Negotiate)[ \t]+(?=[a-z]*[A-Z0-9+/=])(?!realm\b)[\w.~+/=-]{4,}"),
        rf"\1 {REDACTED}",
    ),
    (("basic",), re.compile(r"\b(basic)[ \t]+([\w+/-]{8,}=*)", re.IGNORECASE | re.ASCII), _redacted_basic),
    # A JSON web token (RFC 7519), also one that was cut off
    (("eyj",), re.compile(r"\beyJ[\w-]{6,}(?:\.[\w-]*){0,4}"), REDACTED),
    (("-----begin ",), re.compile(rf"{_KEY_BEGINS}.*?(?:{_KEY_ENDS}|\Z)", re.DOTALL), REDACTED),
    (
        tuple(f"{name}=" for name in _QUERY_ONLY),
        re.compile(rf"(?<=[?&;])({'|'.join(_QUERY_ONLY)})={_QUERY_VALUE}", re.IGNORECASE),
        rf"\1={REDACTED}",
    ),
)
# What these headers hold has blanks and quotes in it. "Cookie: …" whole in quotes, its value in quotes, in none.
_QUOTED_HEADER = re.compile(rf"((?P<quote>{_QUOTE}){_HEADER}\s{{0,3}}[:=][ \t]{{0,3}}+){_UP_TO_QUOTE}", re.IGNORECASE)
_HEADERS = (
    re.compile(
        rf"({_HEADER}(?:{_QUOTE}\s{{0,3}}[:=,]|\s{{0,3}}=)\s{{0,3}}[bru]{{0,2}}(?P<quote>{_QUOTE})){_UP_TO_QUOTE}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"({_HEADER}(?:{_QUOTE}\s{{0,3}}[:=,]|\s{{0,3}}=)[ \t]{{0,3}}+)"
        rf"(?![\[{{]|[bru]{{0,2}}{_QUOTE}){_UP_TO_LINE_END}",
        re.IGNORECASE,
    ),
    re.compile(rf"({_HEADER}\s{{0,3}}:[ \t]{{0,3}}+){_UP_TO_LINE_END}", re.IGNORECASE),
)
_HEADER_BEGINS = re.compile(r"proxy-authorization|authorization|set-cookie|cookie")
_NEWLINE = r"(?:\r?\n|(?:\\{1,15}r)?\\{1,15}n)"
_IN_LINE = r"(?:[^\r\n\\]|\\{1,15}+[\"'])"
_FIELD = r"[\w.:\[\]-]{0,40}"
_TAG_VALUE = re.compile(rf"(\b(?:value|content)\s{{0,3}}=\s{{0,3}})(?:{_QUOTED}|[^\s>]+)", re.IGNORECASE | re.DOTALL)
_is_setting = re.compile(r"[\w.:\[\]-]+").fullmatch

private_key_begins = re.compile(_KEY_BEGINS).search
private_key_ends = re.compile(_KEY_ENDS).search


def _lowered(text: str) -> str:
    """What ignores case takes a dotless i and a long s for letters of ASCII, too."""
    return text.lower().replace("\u0131", "i").replace("\u017f", "s")


def _sub_at(
    begins: re.Pattern[str], pattern: re.Pattern[str], instead: Callable[[re.Match[str]], str], text: str
) -> str:
    """``pattern.sub(instead, text)`` of a pattern that ignores case and matches nowhere but where ``begins``, which
    does not, matches the lowered text. Many times as fast: what does not ignore case is found by its first letters.
    """
    low = _lowered(text)
    if len(low) != len(text):  # places in it are others
        return pattern.sub(instead, text)
    pieces: list[str] = []
    done = at = 0
    while begin := begins.search(low, at):
        found = pattern.match(text, begin.start())
        at = found.end() if found else begin.start() + 1
        if found:
            pieces += (text[done : found.start()], instead(found))
            done = at
    return "".join((*pieces, text[done:])) if pieces else text


class _Redactor:
    """The patterns for one set of names."""

    def __init__(self, own: frozenset[str]) -> None:
        self.own = own
        names = [
            re.escape(name).replace("_", r"[-_. ]?").replace(r"\-", r"[-_. ]?") for name in (*_NAMES, *sorted(own))
        ]
        # Longest first: of two that begin alike the longer is meant.
        named = "|".join(sorted(names, key=len, reverse=True))
        last = "|".join(_LAST_PARTS)
        self._holds_name = re.compile(named, re.IGNORECASE).search
        field = rf"{_FIELD}?(?:{named})"
        both = re.IGNORECASE | re.DOTALL
        # A field of a form (RFC 7578), as it is sent or as Python writes it
        self._part = re.compile(
            rf"(form-data;\s{{0,3}}name={_QUOTE}?{field}{_IN_LINE}{{0,200}}+"
            rf"(?:{_NEWLINE}{_IN_LINE}{{1,200}}+){{0,5}}?{_NEWLINE}{_NEWLINE}).*?(?={_NEWLINE}--|\Z)",
            both,
        )
        # <password>…, <input name="password" value="…">, <entry key="password">…
        self._tag = re.compile(
            rf"(?P<tag><(?:{field}|[^<>]{{1,1000}}?\b(?:name|key|id|type|property)\s{{0,3}}=\s{{0,3}}{_QUOTE}?{field})"
            r"[^<>]*+>)(?P<text>\s*+(?:<!\[CDATA\[)?[^<\s][^<]*+)?",
            re.IGNORECASE,
        )
        # Its value is a word as shells read it; one whose quote has no end goes up to the next blank.
        self._option = re.compile(
            rf"((?<![\w-])--?[\w-]{{0,40}}?(?:(?:{named})[\w-]{{0,40}}|(?<=[-_])(?:{last}))"
            rf"(?:\s{{1,9}}(?!-)|=)){_SHELL_PIECE}(?:(?!{_BACKSLASHES}[\"']{_AFTER_QUOTE}|{_STOP}){_SHELL_PIECE})*+",
            both,
        )
        # ("password", "…"), and a command line as a list
        self._pair = re.compile(
            rf"((?P<around>{_QUOTE})-{{0,2}}{field}{_FIELD}(?P=around),\s{{0,3}})(?!{_QUOTE}-){_QUOTED}", both
        )
        self._in_query = re.compile(
            rf"([?&](?:amp;)?[\w.%\[\]-]{{0,40}}?(?:{named})[\w.%\[\]-]{{0,40}}?(?:=|%3D)){_QUERY_VALUE}", re.IGNORECASE
        )
        self._named = re.compile(
            rf"((?:{named}|(?-i:(?<=[A-Z0-9]_)(?:{last.upper()})\b))"
            rf"(?![\w.-]{{0,40}}\.\w{{1,3}}:\d)[\w.-]{{0,40}}(?:{_QUOTE}|\])?\s{{0,3}}(?:=>|[:=]|%3[AD])\s{{0,3}})"
            rf"{_VALUE}",
            both,
        )
        # Of lowered texts. Lowering is less than ignoring case, beyond ASCII.
        case = re.NOFLAG if named.isascii() else re.IGNORECASE
        self._named_begins = re.compile(rf"{named}|(?<=[a-z0-9]_)(?:{last})", case)
        self._holds_pair = re.compile(rf"(?:{named}){_FIELD}{_QUOTE},", case).search
        parts = {part for name in (*_NAMES, *own) for part in [re.split(r"[-_. ]", _lowered(name))[0]]}
        self._hints = (*_HINTS, *sorted(parts))
        self.short = lru_cache(maxsize=4096)(self._redacted)

    def is_secret(self, name: str) -> bool:
        """Of a setting or an option."""
        return bool(self._holds_name(name)) or re.split(r"[-_.]", name.lower())[-1] in _LAST_PARTS

    def text(self, text: str) -> str:
        return self.short(text) if len(text) <= _LONGEST_CACHED else self._redacted(text)

    def may_hold_secret(self, text: str) -> bool:
        return self._hinted(_lowered(text))

    def _hinted(self, low: str) -> bool:
        for hint in self._hints:  # a fifth faster than any(…): most lines of a log cost nothing else
            if hint in low:
                return True
        return _may_hold_userinfo(low)

    def _redacted(self, text: str) -> str:
        low = _lowered(text)
        if not self._hinted(low):
            return text
        for needs, pattern, instead in _PATTERNS:
            if any(need in low for need in needs):
                text = pattern.sub(instead, text)
        if "authorization" in low or "cookie" in low:
            text = _QUOTED_HEADER.sub(rf"\1{REDACTED}", text)
            for pattern in _HEADERS:
                text = _sub_at(_HEADER_BEGINS, pattern, _redacted_rest, text)
        if "form-data" in low:
            text = self._part.sub(rf"\1{REDACTED}", text)
        if "<" in text:
            text = self._tag.sub(_redacted_tag, text)
        text = self._option.sub(rf"\1{REDACTED}", text)
        if self._holds_pair(low):
            text = self._pair.sub(_redacted_value, text)
        text = self._in_query.sub(rf"\1{REDACTED}", text)
        return _sub_at(self._named_begins, self._named, _redacted_value, text)


def _may_hold_userinfo(low: str) -> bool:
    if "@" in low and (":/" in low or ":\\" in low):
        return True
    return "2f%" in low and ("40" in low or "@" in low)


def _redacted_value(found: re.Match[str]) -> str:
    quote = found["quote"] or ""
    return f"{found[1]}{quote}{REDACTED}{quote}"


def _redacted_tag(found: re.Match[str]) -> str:
    return _TAG_VALUE.sub(_redacted_value, found["tag"]) + (REDACTED if found["text"] else "")


_redactor = _Redactor(frozenset())


def add_secret_names(names: Iterable[str]) -> None:
    """What the user's own secrets are called, beside the usual ones; in this process, from now on."""
    global _redactor
    own = _redactor.own | {name.strip().lower() for name in names if name.strip()}
    if own != _redactor.own:
        _redactor = _Redactor(own)


def redacted(text: str) -> str:
    """``text`` with :data:`MASK` in the place of each secret that was found in it."""
    return _redactor.text(text)


def may_hold_secret(text: str) -> bool:
    """False only where :func:`redacted` would leave ``text`` as it is; that is found far faster than by it."""
    return _redactor.may_hold_secret(text)


def is_secret(name: str) -> bool:
    """Whether what a setting or an option of that name holds is a secret."""
    return _redactor.is_secret(name)


def redacted_words(words: Sequence[str]) -> tuple[str, ...]:
    """The words of a command line: also what follows ``--password``, and all of the value in ``NAME=VALUE``."""
    found: list[str] = []
    is_value = False
    for word in words:
        is_option = word.startswith("-")
        name, equals, value = word.partition("=")
        if is_value and not is_option:
            found.append(REDACTED)
        elif value and _is_setting(name) and _redactor.is_secret(name):
            found.append(f"{name}={REDACTED}")
        else:
            found.append(redacted(word))
        is_value = is_option and not equals and _redactor.is_secret(word)
    return tuple(found)


def redacted_command(command: str) -> str:
    """A command line in one text, as :func:`shlex.split` reads it; as it was written where it holds no secret."""
    try:
        words = shlex.split(command)
    except ValueError:  # no command line, as its user is told elsewhere: a quote has no end
        return redacted(command)
    hidden = redacted_words(words)
    return redacted(command if hidden == tuple(words) else " ".join(map(_as_word, hidden)))


def _as_word(word: str) -> str:
    """Quoted only where it must be: no shell will see it, and ``{port}`` and ``***`` are to stay readable."""
    return word if re.fullmatch(r"[^\s\"'\\]+", word) else shlex.quote(word)


def redacted_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Values by name, as in a process's environment: masked whole where the name is a secret's."""
    return {
        name: REDACTED if value and _redactor.is_secret(name) else redacted(value) for name, value in settings.items()
    }
