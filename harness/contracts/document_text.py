"""Reads the text of an OpenAPI document, JSON or YAML, into values that JSON can have."""

from __future__ import annotations

import json
import math
import re
from typing import Any, ClassVar

from harness.errors import HarnessError, how_to_install
from harness.record.strict_json import KeyTwice, parse_json_once

MOST_NODES = 4_000_000
"""Maps, lists and values."""
MOST_REPEATED = 200_000
"""Of these, such as YAML's aliases repeat: with aliases of aliases, a few lines can stand for any number."""
DEEPEST = 200


def json_value(text: str, source: str) -> Any:
    """What JSON holds. Raises :class:`HarnessError`."""
    try:
        return parse_json_once(text)
    except KeyTwice as error:
        raise HarnessError("key-twice", where=f"{source}: {error.place or 'the document'}", key=error.key) from error
    except json.JSONDecodeError as error:
        raise HarnessError("contract-not-readable", where=f"{source}:{error.lineno}", error=error.msg) from error
    except RecursionError as error:
        raise HarnessError("contract-too-deep", where=source, most=DEEPEST) from error
    except ValueError as error:
        raise HarnessError("contract-not-readable", where=source, error=error) from error


def yaml_value(text: str, source: str) -> Any:
    """What YAML holds. Raises :class:`HarnessError`."""
    try:
        import yaml
    except ImportError as error:
        raise HarnessError("contracts-not-installed", where=source, how=how_to_install("contracts")) from error

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """YAML as JSON has it: ``no`` is a text, and so is ``2026-01-01``."""

        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

        def construct_document(self, node: Any) -> Any:
            waiting, seen = [node], set[int]()
            while waiting:
                each = waiting.pop()
                if id(each) in seen:
                    continue
                seen.add(id(each))
                if isinstance(each, yaml.SequenceNode):
                    waiting += each.value
                elif isinstance(each, yaml.MappingNode):
                    require_once([key for key, _ in each.value if isinstance(key, yaml.ScalarNode)])
                    waiting += [value for _, value in each.value]
            return super().construct_document(node)

    def require_once(keys: list[Any]) -> None:
        known = set[str]()
        for key in keys:  # as it is written: 200 and "200" are one key
            if key.value in known:
                raise HarnessError("key-twice", where=f"{source}:{key.start_mark.line + 1}", key=key.value)
            known.add(key.value)

    for tag, pattern, first in (
        ("merge", "<<", ["<"]),
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})\\Z"), first)
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        where = source if mark is None else f"{source}:{mark.line + 1}"
        raise HarnessError("contract-not-readable", where=where, error=problem) from error
    except (RecursionError, ValueError) as error:
        raise HarnessError("contract-not-readable", where=source, error=type(error).__name__) from error


def require_plain(data: Any, source: str) -> None:
    """Reject what is too deep or has too many nodes, and make all keys texts: YAML has numbers (``200:``)."""
    nodes, repeated, seen, waiting = 0, 0, set[int](), [(data, 0)]
    while waiting:
        value, depth = waiting.pop()
        nodes += 1
        if isinstance(value, dict | list):
            repeated += len(value) if id(value) in seen else 0
            seen.add(id(value))
        if repeated > MOST_REPEATED:
            raise HarnessError("contract-too-many-values", where=source, most=MOST_REPEATED)
        if depth > DEEPEST:
            raise HarnessError("contract-too-deep", where=source, most=DEEPEST)
        if nodes + len(waiting) > MOST_NODES:
            raise HarnessError("contract-too-many-values", where=source, most=MOST_NODES)
        if isinstance(value, dict):
            for key in [key for key in value if not isinstance(key, str)]:
                value[str(key)] = value.pop(key)
            for key in value:
                _require_json(key, source)
            waiting += [(below, depth + 1) for below in value.values()]
        elif isinstance(value, list):
            waiting += [(below, depth + 1) for below in value]
        else:
            _require_json(value, source)


def _require_json(value: object, source: str) -> None:
    """Reject what could not be written as JSON: dates, bytes and sets of YAML, infinity, half a character."""
    problem = None
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                problem = error.reason
    elif isinstance(value, float):
        if not math.isfinite(value):
            problem = f"{value} is no JSON"
    elif value is not None and not isinstance(value, bool | int):
        problem = f"a {type(value).__name__} is no JSON"
    if problem is not None:
        raise HarnessError("contract-not-readable", where=source, error=problem)
