"""Validators for the schemas of an OpenAPI document, and their errors as text without values.

jsonschema-rs validates: it is ten to a hundred times as fast as validators in Python, and no regular expression can
block it, because it limits their steps. OpenAPI 3.1 uses JSON Schema unchanged. OpenAPI 3.0 extends draft 4 by
``nullable``, which is rewritten here. Both add ``writeOnly``, which a response must not contain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from harness.contracts.document import Document, Json, objects, step
from harness.errors import HarnessError, how_to_install

if TYPE_CHECKING:
    import jsonschema_rs

_URI = "urn:harness:openapi"
_DIALECTS = {"3.0": "http://json-schema.org/draft-04/schema#", "3.1": "https://json-schema.org/draft/2020-12/schema"}
_IN_A_REFERENCE = "#/~!$&'()*+,;=:@?-._%"
_MOST_STEPS = 100_000
"""Of a regular expression with look-around or back-references; others take linear time."""
_MOST_ERRORS = 20
"""Of one response: a list of a thousand wrong items says the same a thousand times."""
_VALUE = "the value"
_NOT_IN_DRAFT_4 = (
    *("duration", "idn-hostname", "iri", "iri-reference", "json-pointer", "relative-json-pointer"),
    *("uri-reference", "uri-template", "uuid"),
)
"""Formats that later drafts have added: documents of OpenAPI 3.0 name them as well."""


class SchemaBreach(NamedTuple):
    """One place of a value that its schema forbids."""

    path: tuple[str | int, ...]
    rule: str
    problem: str
    value: Json
    is_format: bool = False
    """Whether nothing but formats is wrong."""


class TooSlow(Exception):  # noqa: N818  (nothing is wrong with the response)
    """A regular expression of the document took too many steps."""


class Schemas:
    """All schemas of a document."""

    def __init__(self, document: Document, *, formats: bool) -> None:
        """``formats``: whether to validate them. Raises :class:`HarnessError` if jsonschema-rs is not installed."""
        try:
            import jsonschema_rs
        except ImportError as error:
            raise HarnessError(
                "contracts-not-installed", where=document.source, how=how_to_install("contracts")
            ) from error
        self._library = jsonschema_rs
        self._document = document
        self._formats = formats
        is_30 = document.draft == "3.0"
        self._more_formats = dict(map(_format, _NOT_IN_DRAFT_4)) if is_30 else None
        self._kind = jsonschema_rs.Draft4Validator if is_30 else jsonschema_rs.Draft202012Validator
        draft = jsonschema_rs.Draft4 if is_30 else jsonschema_rs.Draft202012
        self._registry = jsonschema_rs.Registry([(_URI, _adapted(document))], draft=draft)
        self._validators: dict[str, jsonschema_rs.Validator] = {}

    def validator(self, pointer: str) -> jsonschema_rs.Validator:
        """The validator of the schema at ``pointer``. Raises :class:`HarnessError` if that is not a schema."""
        found = self._validators.get(pointer)
        if found is None:
            found = self._validators[pointer] = self._compiled(pointer)
        return found

    def _compiled(self, pointer: str) -> jsonschema_rs.Validator:
        library = self._library
        schema = self._document.at(pointer)
        if not isinstance(schema, dict | bool):
            raise HarnessError(
                "contract-schema-invalid", where=self._document.where(pointer), reason="a schema is a map"
            )
        try:
            if isinstance(schema, dict):
                library.meta.validate({**schema, "$schema": _DIALECTS[self._document.draft]})
            return self._kind(
                {"$ref": f"{_URI}{quote(pointer, safe=_IN_A_REFERENCE)}"},
                registry=self._registry,
                offline=True,
                formats=self._more_formats,
                validate_formats=self._formats,
                mask=_VALUE,
                pattern_options=library.FancyRegexOptions(backtrack_limit=_MOST_STEPS),
                keywords={"writeOnly": _WriteOnly},
            )
        except (library.ValidationError, library.ReferencingError, ValueError) as error:
            keys = [str(key) for key in getattr(error, "instance_path", ())]
            # A compiler counts from the document, a check of the schema from the schema.
            place, whole = self._document.where(pointer), self._document.where(step("#", *keys))
            where = whole if whole.startswith(place) else ".".join([place, *keys])
            reason = " ".join(str(getattr(error, "message", error)).split())
            raise HarnessError("contract-schema-invalid", where=where, reason=reason) from error

    def breaches(self, pointer: str, value: Json, *, only_formats: bool = False) -> Iterator[SchemaBreach]:
        """What is wrong with ``value`` by the schema at ``pointer``, the first places.

        Raises :class:`TooSlow`.
        """
        try:
            errors = self.validator(pointer).iter_errors(value)
        except (ValueError, OverflowError):
            problem = "cannot be judged: nested too deep, or a number that is too large"
            yield SchemaBreach((), "json", problem, value)
            return
        count = 0
        for error in errors:
            stopped = self._library.ValidationErrorKind.BacktrackLimitExceeded
            if any(isinstance(each.kind, stopped) for each in _with_branches(error)):
                raise TooSlow
            if only_formats and not _is_format(error):
                continue
            if count >= _MOST_ERRORS:
                return
            count += 1
            yield from _breaches(error)


def _format(name: str) -> tuple[str, Callable[[str], bool]]:
    import jsonschema_rs

    return name, jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True).is_valid


def _breaches(error: jsonschema_rs.ValidationError) -> Iterator[SchemaBreach]:
    kind, path = error.kind, tuple(error.instance_path)
    match kind.name:
        case "required":
            yield SchemaBreach((*path, kind.as_dict()["property"]), "required", "is required and missing", None)
        case "additionalProperties" | "unevaluatedProperties":
            for name in kind.as_dict()["unexpected"]:
                value = error.instance.get(name) if isinstance(error.instance, dict) else None
                yield SchemaBreach((*path, name), kind.name, "is not in the schema", value)
        case "writeOnly":
            yield SchemaBreach(path, "writeOnly", "is writeOnly, which no response has", error.instance)
        case name:
            yield SchemaBreach(path, name, _without_subject(error.message), error.instance, _is_format(error))


def _branches(error: jsonschema_rs.ValidationError) -> list[list[jsonschema_rs.ValidationError]]:
    """Of ``anyOf`` and ``oneOf``: what is wrong with each choice."""
    return getattr(error.kind, "context", [])


def _with_branches(error: jsonschema_rs.ValidationError) -> Iterator[jsonschema_rs.ValidationError]:
    yield error
    for below in chain.from_iterable(_branches(error)):
        yield from _with_branches(below)


def _is_format(error: jsonschema_rs.ValidationError) -> bool:
    """Whether formats alone are wrong: of a time or null, for example, a text that is no time."""
    branches = _branches(error)
    is_none_valid = all(branches)  # several are, if it fits more than one of ``oneOf``
    return error.kind.name == "format" or (is_none_valid and any(all(map(_is_format, branch)) for branch in branches))


def _without_subject(message: str) -> str:
    """``the value is not of type "integer"`` without its first words."""
    text = " ".join(message.split())
    return text.removeprefix(_VALUE).strip() or text


class _WriteOnly:
    """The keyword ``writeOnly``: such a property belongs to requests."""

    def __init__(self, parent_schema: Mapping[str, Any], value: Any, schema_path: list[str | int]) -> None:  # noqa: ARG002
        self._is_on = value is True

    def validate(self, instance: Any) -> None:  # noqa: ARG002
        if self._is_on:
            raise ValueError("writeOnly")


def _adapted(document: Document) -> Json:
    """The document with its schemas as JSON Schema has them; pointers lead to the same places."""
    write_only = {pointer for pointer, found in objects(document.data) if found.get("writeOnly") is True}
    return _copied(document.data, document, write_only)


def _copied(value: Json, document: Document, write_only: set[str]) -> Json:
    if isinstance(value, list):
        return [_copied(below, document, write_only) for below in value]
    if not isinstance(value, dict):
        return value
    copy = {key: _copied(below, document, write_only) for key, below in value.items()}
    if isinstance(ref := copy.get("$ref"), str):
        copy["$ref"] = quote(ref, safe=_IN_A_REFERENCE)
    if isinstance(required := copy.get("required"), list) and isinstance(properties := copy.get("properties"), dict):
        kept = [name for name in required if not _is_write_only(properties.get(name), write_only)]
        copy["required"] = kept
        if not kept:  # draft 4 has no empty list
            del copy["required"]
    if document.draft == "3.0" and copy.get("nullable") is True:
        return _nullable(copy)
    return copy


def _is_write_only(schema: Json, write_only: set[str]) -> bool:
    return isinstance(schema, dict) and (schema.get("writeOnly") is True or schema.get("$ref") in write_only)


def _nullable(schema: dict[str, Json]) -> dict[str, Json]:
    """A schema of OpenAPI 3.0 that also allows null, whatever else it says.

    By the letter, ``enum`` must have null itself, and ``nullable`` without ``type`` means nothing. Generators of
    documents do not know that, so neither is a breach here.
    """
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    for word in ("allOf", "oneOf", "anyOf"):
        if isinstance(schema.get(word), list):
            others = {"anyOf": schema.pop(word)} if word == "anyOf" else {word: schema.pop(word)}
            schema.setdefault("allOf", []).append({"anyOf": [{"enum": [None]}, others]})
    return schema


_INDEX = re.compile(r"\[\d+\]")


def shown_path(path: tuple[str | int, ...]) -> str:
    """``items[3].price``."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def general_path(path: tuple[str | int, ...]) -> str:
    """``items[].price``, which many breaches share."""
    return _INDEX.sub("[]", shown_path(path))
