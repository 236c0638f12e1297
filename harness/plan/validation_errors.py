"""pydantic's errors told in the user's words: which line and key, what is wrong with it, what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from harness.plan.config_source import ConfigSource, KeyPath
from harness.plan.problems import InvalidValue, Problems, quoted, suggestion

_Model = TypeVar("_Model", bound=BaseModel)

_EXAMPLES = {
    "duration": '"30s"',
    "hold": '"10s"',
    "every": '"5s"',
    "from": "50",
    "to": "400",
    "step": "50",
    "until": '"p95 > 500ms"',
    "require": '"p95 < 500ms"',
}
_WANTED = {
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a text in quotes",
    "dict_type": "a table",
    "model_type": "a table",
    "list_type": "a list",
    "tuple_type": "a list",
}
"""What a value should have been, by pydantic's name of the error."""


def checked(model: type[_Model], value: object, at: KeyPath, source: ConfigSource, problems: Problems) -> _Model | None:
    """``value``, which stands at ``at``, as a ``model``; None if it is invalid: ``problems`` then says why."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        _report(error, model, at, source, problems)
        return None


def _report(
    error: ValidationError, model: type[BaseModel], at: KeyPath, source: ConfigSource, problems: Problems
) -> None:
    for item in error.errors(include_url=False):
        below: KeyPath = tuple(item["loc"])
        path = (*at, *below)
        where, word = source.where(path), source.spelled(path) if path else ""
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, InvalidValue):
            location = source.where((*path, cause.key)) if cause.key else where
            problems.add(cause.message, where=location, hint=cause.hint)
        elif item["type"] == "missing":
            problems.add(f'"{word}" is missing', where=where, hint=_how_to_add(str(below[-1]), word))
        elif item["type"] == "extra_forbidden" and "[" in word:
            problems.add(f"{word} is one value too many", where=where, hint=_how_to_add("to", word))
        elif item["type"] == "extra_forbidden":
            table = _model_at(model, below[:-1])
            synonyms: Mapping[str, str] = getattr(table, "synonyms", {})
            known = [source.spelled((*path[:-1], key)) for key in _keys(table)]
            meant = {other: source.spelled((*path[:-1], key)) for other, key in synonyms.items()}
            problems.add(f'unknown key "{word}"', where=where, hint=suggestion(word, known, meant))
        elif item["type"] == "literal_error":
            choices = [str(choice) for choice in _choices(model, below)]
            problems.add(
                f"{quoted(item['input'])} is not known", where=where, hint=suggestion(str(item["input"]), choices)
            )
        else:
            wanted = _WANTED.get(item["type"])
            message = (
                f"{quoted(item['input'])} is not {wanted}" if wanted else f"{quoted(item['input'])}: {item['msg']}"
            )
            example = f"[{quoted(item['input'])}]" if wanted == "a list" and isinstance(item["input"], str) else wanted
            problems.add(message, where=where, hint=f"write {example}" if wanted else None)


def _how_to_add(key: str, word: str) -> str:
    if "[" in word:  # a part of a tuple in a scenario: ``users[2] (step)``
        return "give (from, to, step), such as (50, 400, 50)" if "step" in word or "3" in word else "give (from, to)"
    return f"add {word} = {_EXAMPLES[key]}, for example" if key in _EXAMPLES else f"add {word} = …"


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
