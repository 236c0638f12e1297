"""Reads an OpenAPI document, JSON or YAML, and reports what is wrong with it before any load.

Nothing outside the document is ever read: a ``$ref`` to another file or host is an error.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from harness.contracts.document_text import json_value, require_plain, yaml_value
from harness.errors import HarnessError, ManyProblemsError
from harness.messages import Option
from harness.record.run_folder import regular_file

LARGEST = 64 << 20
"""Bytes. The largest public documents have 12 MB."""
_MOST_PROBLEMS = 20
_INDEX = re.compile(r"[0-9]{1,9}")
_VERSION = re.compile(r"3\.([01])\.\d+(-.*)?")
_OPAQUE = frozenset({"default", "enum", "const", "example", "examples"})
"""Keys of an object whose values are data: a ``$ref`` in them is none."""
_NAMES = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "schemas", "headers", "responses", "paths"}
)
"""Keys of an object whose value maps names that the author chose: a property may be called ``example``."""

Json = Any


@dataclass(frozen=True)
class Document:
    """A document of which every reference leads to something in it."""

    data: Mapping[str, Json]
    source: str
    """The file or URL, for people."""
    sha256: str
    draft: Literal["3.0", "3.1"]

    @property
    def title(self) -> str:
        return _text(self._info.get("title"))

    @property
    def version(self) -> str:
        """Of the API."""
        return _text(self._info.get("version"))

    @property
    def openapi(self) -> str:
        return str(self.data["openapi"])

    @property
    def _info(self) -> Mapping[str, Json]:
        info = self.data.get("info")
        return info if isinstance(info, dict) else {}

    def where(self, pointer: str) -> str:
        """The readable place of the value at ``pointer``."""
        return f"{self.source}: {shown(pointer)}"

    def at(self, pointer: str) -> Json:
        """The value at ``#/a/b``. Raises ``LookupError`` if there is none."""
        return _at(self.data, pointer)

    def resolved(self, pointer: str) -> tuple[str, Json]:
        """The value at ``pointer``, or what it refers to, with the place of that. Raises :class:`HarnessError`."""
        seen = [pointer]
        while isinstance(found := self.at(seen[-1]), dict) and isinstance(ref := found.get("$ref"), str):
            if ref in seen:
                raise HarnessError("contract-ref-circular", where=self.where(pointer), ref=ref)
            # A reference in place of a map of names, such as `paths: {$ref: …}`, was not seen before.
            if (problem := self.problem_of(ref, pointer)) is not None:
                raise problem
            seen.append(ref)
        return seen[-1], found

    def problem_of(self, ref: str, pointer: str) -> HarnessError | None:
        """Why a reference at ``pointer`` cannot be followed; None: it leads to something in the document."""
        if not ref.startswith("#"):
            return HarnessError("contract-ref-outside", where=self.where(pointer), ref=ref)
        try:
            self.at(ref)
        except LookupError:
            return HarnessError("contract-ref-missing", where=self.where(pointer), ref=ref)
        return None


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def step(pointer: str, *keys: str | int) -> str:
    """The pointer to a value within what ``pointer`` leads to (RFC 6901)."""
    return "/".join([pointer, *(str(key).replace("~", "~0").replace("/", "~1").replace("%", "%25") for key in keys)])


def shown(pointer: str) -> str:
    """``#/paths/~1items/get`` as ``paths./items.get``."""
    return ".".join(map(_key, pointer.split("/")[1:])) or "the document"


def _key(escaped: str) -> str:
    return unquote(escaped).replace("~1", "/").replace("~0", "~")


def document_file(path: Path, where: str | Option | None = None) -> bytes:
    """What a file has, which ``where`` names; no more than is too large. Raises :class:`HarnessError`."""
    try:
        with regular_file(path).open("rb") as file:
            return file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # a path may have a NUL byte
        reason = getattr(error, "strerror", None) or error
        raise HarnessError("contract-file-unreadable", where=where, path=str(path), reason=reason) from error


def read_document(content: bytes, source: str) -> Document:
    """The document that ``content`` holds. Raises :class:`HarnessError` with all its problems, or the first."""
    if len(content) > LARGEST:
        raise HarnessError("contract-too-large", where=source, most=LARGEST)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise HarnessError("contract-not-utf8", where=f"{source}:{line}") from error
    data = json_value(text, source) if text.lstrip()[:1] in ("{", "[") else yaml_value(text, source)
    draft = _draft(data, source)
    require_plain(data, source)
    document = Document(data, source, hashlib.sha256(content).hexdigest(), draft)
    problems = _problems_of_references(document)
    if problems:
        raise problems[0] if len(problems) == 1 else ManyProblemsError(problems)
    return document


def _draft(data: Json, source: str) -> Literal["3.0", "3.1"]:
    if not isinstance(data, dict) or not {"openapi", "swagger"} & data.keys():
        raise HarnessError("contract-not-openapi", where=source)
    version = str(data.get("openapi", data.get("swagger")))
    found = _VERSION.fullmatch(version) if "openapi" in data else None
    if found is None:
        raise HarnessError("contract-version-unsupported", where=f"{source}: openapi", version=version)
    return "3.0" if found[1] == "0" else "3.1"


def objects(data: Json) -> Iterator[tuple[str, dict[str, Json]]]:
    """Every object of a document that is neither an example nor a map of names, with its pointer."""
    waiting: list[tuple[str, Json, bool]] = [("#", data, False)]
    while waiting:
        pointer, value, is_names = waiting.pop()
        if isinstance(value, list):
            waiting += [(step(pointer, index), below, False) for index, below in enumerate(value)]
        elif isinstance(value, dict):
            if not is_names:
                yield pointer, value
            waiting += [
                (step(pointer, key), below, not is_names and key in _NAMES)
                for key, below in value.items()
                if isinstance(below, dict | list) and (is_names or key not in _OPAQUE)
            ]


def _problems_of_references(document: Document) -> list[HarnessError]:
    problems: list[HarnessError] = []
    done: set[int] = set()
    for pointer, value in objects(document.data):
        if isinstance(ref := value.get("$ref"), str):
            problem = document.problem_of(ref, pointer)
            if problem is None and _is_circular(document, value, done):
                problem = HarnessError("contract-ref-circular", where=document.where(pointer), ref=ref)
            problems += [problem] if problem is not None else []
    return problems[:_MOST_PROBLEMS]


def _is_circular(document: Document, start: Json, done: set[int]) -> bool:
    """Whether a schema is a part of itself in the same place: a validator would accept any value.

    Adds to ``done`` what need not be followed again.
    """
    path, waiting = set[int](), [(start, False)]
    while waiting:
        found, is_left = waiting.pop()
        if is_left:
            path.discard(id(found))
            done.add(id(found))
        elif id(found) in path:
            done |= path
            return True
        elif id(found) not in done:
            path.add(id(found))
            waiting += [(found, True), *((below, False) for below in _in_place(document, found))]
    return False


def _in_place(document: Document, found: Json) -> Iterator[Json]:
    """What else judges a value that ``found`` judges; of choices, only ``found`` itself.

    Choices may lead back by way of others: a pet is one of cat and dog, each of which is a pet and more.
    """
    if not isinstance(found, dict):
        return
    if isinstance(ref := found.get("$ref"), str) and document.problem_of(ref, "") is None:  # reported at its own place
        yield document.at(ref)
    for word in ("allOf", "anyOf", "oneOf"):
        for below in parts if isinstance(parts := found.get(word), list) else ():
            if word == "allOf" or any(target is found for target in _in_place(document, below)):
                yield below


def _at(data: Json, pointer: str) -> Json:
    if pointer not in ("#", "") and not pointer.startswith("#/"):
        raise LookupError(pointer)
    found = data
    for key in pointer.split("/")[1:]:
        name = _key(key)
        if isinstance(found, list):
            if not _INDEX.fullmatch(name):
                raise LookupError(pointer)
            found = found[int(name)]
        elif isinstance(found, dict):
            found = found[name]
        else:
            raise LookupError(pointer)
    return found
