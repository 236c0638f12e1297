"""Turns pydantic's errors into problems with the user's key, its line and a correction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.errors import InvalidValue
from harness.messages import Message, alternatives
from harness.plan.config_source import ConfigSource, KeyPath
from harness.plan.problems import Problems

_Model = TypeVar("_Model", bound=BaseModel)

_EXTRA = "extra_forbidden"
_EXAMPLES = {
    "duration": '"30s"',
    "hold": '"10s"',
    "every": '"5s"',
    "from": "50",
    "to": "400",
    "step": "50",
    "until": '"p95 > 500ms"',
    "require": '"p95 < 500ms"',
    "url": '"/metrics"',
}
_WANTED = {
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a string in quotes",
    "dict_type": "a table",
    "model_type": "a table",
    "list_type": "a list",
    "tuple_type": "a list",
}
"""What a value should have been, by pydantic's name of the error."""


def checked(model: type[_Model], value: object, at: KeyPath, source: ConfigSource, problems: Problems) -> _Model | None:
    """``value``, which was written at ``at``, as a ``model``; None if it is invalid: ``problems`` then says why."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        items = error.errors(include_url=False)
        unknown = {tuple(item["loc"]): _meant(item, model, at, source) for item in items if item["type"] == _EXTRA}
        replaced = {(*below[:-1], meant.params.get("close")) for below, meant in unknown.items()}
        for item in items:
            below: KeyPath = tuple(item["loc"])
            if item["type"] == "missing" and (*below[:-1], source.spelled((*at, *below))) in replaced:
                continue  # a consequence of the unknown key
            _report(item, model, at, source, problems)
        return None


def _meant(item: ErrorDetails, model: type[BaseModel], at: KeyPath, source: ConfigSource) -> Message:
    """The keys that there are instead of an unknown one."""
    below: KeyPath = tuple(item["loc"])
    path, table = (*at, *below), _model_at(model, below[:-1])
    synonyms: Mapping[str, str] = getattr(table, "synonyms", {})
    known = [source.spelled((*path[:-1], key)) for key in _keys(table)]
    meant = {other: source.spelled((*path[:-1], key)) for other, key in synonyms.items()}
    return alternatives(source.spelled(path), known, meant)


def _report(item: ErrorDetails, model: type[BaseModel], at: KeyPath, source: ConfigSource, problems: Problems) -> None:
    below: KeyPath = tuple(item["loc"])
    path = (*at, *below)
    where, word, value = source.where(path), source.spelled(path) if path else "", item["input"]
    cause = item.get("ctx", {}).get("error")
    wanted = _WANTED.get(item["type"])
    is_level = "[" in source.spelling.get(path, "")  # of a call's tuple: ``users[2] (step)`` is missing
    if isinstance(cause, InvalidValue):
        problems.add_invalid(cause, where=source.where((*path, cause.key)) if cause.key else where)
    elif item["type"] == "missing" and is_level:
        problems.add("level-missing", where=where, word=word)
    elif item["type"] == _EXTRA and is_level:
        problems.add("level-surplus", where=where, word=word)
    elif item["type"] == "missing":
        problems.add("key-missing", where=where, word=word, example=_EXAMPLES.get(str(below[-1]), "…"))
    elif item["type"] == _EXTRA:
        problems.add("unknown-key", where=where, word=word, alternatives=_meant(item, model, at, source))
    elif item["type"] == "literal_error":
        choices = [str(choice) for choice in _choices(model, below)]
        problems.add("value-unknown", where=where, value=value, alternatives=alternatives(str(value), choices))
    elif item["type"] == "too_long":
        limits = item["ctx"]
        problems.add("too-many-items", where=where, count=limits["actual_length"], most=limits["max_length"])
    elif wanted == "a list" and isinstance(value, str):
        problems.add("value-not-a-list", where=where, value=value)
    elif wanted:
        problems.add("value-of-wrong-type", where=where, value=value, wanted=wanted)
    else:
        problems.add("value-invalid", where=where, value=value, reason=item["msg"])


def _keys(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _model_at(model: type[BaseModel], below: KeyPath) -> type[BaseModel]:
    """The model of the nested table at ``below``."""
    for key in below:
        if isinstance(key, int):  # a place in a list, whose entries are all of one model
            continue
        info = next(info for name, info in model.model_fields.items() if key in (name, info.alias))
        found = _first_model(info.annotation)
        assert found is not None, "only a table can hold a key that is unknown or no choice"
        model = found
    return model


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _first_model(part))), None)


def _choices(model: type[BaseModel], below: KeyPath) -> tuple[Any, ...]:
    return get_args(_model_at(model, below[:-1]).model_fields[str(below[-1])].annotation)
