"""What ``verify`` found: named checks that hold or do not, and named figures that gates read.

A check is ``harness.check(NAME, OK, DETAIL)``, ``(NAME, OK)`` or ``(NAME, OK, DETAIL)``; with a number in place of
``OK`` it is a figure: ``yield "lost_writes", 3``. As data it is ``{"name", "value": bool | float, "detail"}``.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from numbers import Real
from typing import Any

from harness.engine.checks import Check
from harness.engine.scenario.child_result import one_line
from harness.messages import Message, message

MOST = 1000
_LONGEST_NAME = 200
_WORD = re.compile(r"[a-zA-Z_]\w{0,99}")


class NotACheck(Exception):  # noqa: N818  (a mistake in a scenario, with its reason)
    """What ``verify`` yielded is not a check."""

    def __init__(self, reason: Message) -> None:
        super().__init__(str(reason))
        self.reason = reason


def found_by(returned: Any) -> Iterator[dict[str, Any]]:
    """The checks of what ``verify`` returned, which may be a generator. Other values than these say nothing.

    Checks of one name are one, which holds if all do. Raises :class:`NotACheck`, and what the generator raises.
    """
    if _is_check(returned):
        returned = [returned]
    if isinstance(returned, str | bytes | dict) or not isinstance(returned, Iterable):
        return
    known: dict[str, dict[str, Any]] = {}
    for each in returned:
        check = _check(each)
        before = known.get(check["name"])
        if before is None:
            if len(known) >= MOST:
                raise NotACheck(message("verify-too-many-checks", most=MOST))
            known[check["name"]] = check
            yield check
        elif not isinstance(before["value"], bool) or not isinstance(check["value"], bool):
            raise NotACheck(message("verify-figure-twice", name=check["name"]))
        elif before["value"]:
            before |= check


def figures_named_in(hook: Callable[..., object] | None) -> list[str]:
    """The words in the code of ``verify`` that may be names of its figures: what a tuple or ``check(…)`` begins with.

    The plan keeps them, so no other words: one may be a password.
    """
    try:
        code = ast.parse(textwrap.dedent(inspect.getsource(hook))) if inspect.isfunction(hook) else None
    except (OSError, SyntaxError):  # made without a file, or in a way that cannot be read by itself
        code = None
    found: dict[str, None] = {}
    for node in ast.walk(code) if code is not None else ():
        match node:
            case (
                ast.Tuple(elts=[ast.Constant(value=str(name)), *_])
                | ast.Call(func=ast.Name(id="check"), args=[ast.Constant(value=str(name)), *_])
                | ast.Call(func=ast.Attribute(attr="check"), args=[ast.Constant(value=str(name)), *_])
            ) if _WORD.fullmatch(name):
                found[name] = None
    return sorted(found)[:MOST]


def _is_check(value: object) -> bool:
    return isinstance(value, Check) or (isinstance(value, tuple) and 2 <= len(value) <= 3 and isinstance(value[0], str))


def _check(given: Any) -> dict[str, Any]:
    if isinstance(given, Check):
        given = (given.name, given.ok, given.detail)
    if not _is_check(given):
        raise NotACheck(message("verify-not-a-check", given=one_line(repr(given))))
    name, value, detail = (*given, "")[:3]
    name = one_line(name)[:_LONGEST_NAME]
    if hasattr(value, "item") and not isinstance(value, Real):  # numpy's bool
        value = value.item()
    if not isinstance(value, bool):
        if not isinstance(value, Real | Decimal) or not math.isfinite(value):
            raise NotACheck(message("verify-value-invalid", name=name, value=one_line(repr(value))))
        value = float(value)
    if not name:
        raise NotACheck(message("verify-not-a-check", given=one_line(repr(given))))
    return {"name": name, "value": value, "detail": one_line(str(detail))}
