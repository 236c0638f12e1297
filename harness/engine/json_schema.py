"""Validates JSON under a JSON Schema by jsonschema-rs; a schema is compiled once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, how_to_install

_MOST = 200
"""How many compiled schemas are kept; others are compiled again when needed."""
_LONGEST = 200

_by_identity: dict[int, tuple[Any, Any]] = {}
"""By the identity of a schema: the schema, which must not be freed and its identity given to another, and what was
compiled of it."""
_by_content: dict[str, Any] = {}


def first_breach(schema: Mapping[str, Any] | str | Path, value: Any) -> str | None:
    """The first breach of ``schema`` by ``value``, with the path to it; None if it is valid.

    Raises :class:`HarnessError` if the schema cannot be read, is none, or jsonschema-rs is missing.
    """
    known = _by_identity.get(id(schema))
    validator = known[1] if known is not None and known[0] is schema else _compiled(schema)
    try:
        if validator.is_valid(value):
            return None
        error = next(validator.iter_errors(value))
    except ValueError as problem:  # too many levels
        return f"$: cannot be judged: {problem}"
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    return f"${path}: {error.message[:_LONGEST]}"


def _compiled(schema: Mapping[str, Any] | str | Path) -> Any:
    if isinstance(schema, str | Path):
        key, where = f"file {schema}", str(schema)
    else:
        key, where = json.dumps(schema, sort_keys=True, default=str), None
    validator = _by_content.get(key)
    if validator is None:
        validator = _compile(schema, where)
        if len(_by_content) >= _MOST:
            _by_content.clear()
        _by_content[key] = validator
    if len(_by_identity) >= _MOST:
        _by_identity.clear()
    _by_identity[id(schema)] = (schema, validator)
    return validator


def _compile(schema: Mapping[str, Any] | str | Path, where: str | None) -> Any:
    try:
        import jsonschema_rs
    except ImportError as error:
        raise HarnessError("json-schema-library-missing", install=how_to_install("contracts")) from error
    try:
        content = json.loads(Path(schema).read_bytes()) if isinstance(schema, str | Path) else dict(schema)
        return jsonschema_rs.validator_for(content, offline=True)  # nothing is fetched past the guard rails
    except (OSError, ValueError) as error:  # the library's own errors are ValueErrors
        raise HarnessError("json-schema-invalid", where=where, error=error) from error
