"""Calls from Python: errors name arguments, hold no secrets, and suggest the keyword that was meant."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from harness.errors import HarnessError, ManyProblemsError
from harness.messages import keyword_argument, map_texts
from harness.record.redaction import redacted

_P = ParamSpec("_P")
_R = TypeVar("_R")
_O = TypeVar("_O")


def python_call(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """``function`` as a part of the Python API."""
    known = inspect.signature(function).parameters

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        __tracebackhide__ = True
        for name in kwargs:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f": did you mean {near[0]}=?" if near else f"; there are: {', '.join(known)}"
                raise TypeError(f"{function.__qualname__}() got an unexpected keyword argument {name!r}{hint}")
        try:
            return function(*args, **kwargs)
        except HarnessError as error:
            raise for_python(error) from None  # a traceback would show the original, with its secrets

    return call


def taking(options: Callable[_P, _O], function: Callable[[_O], _R], name: str) -> Callable[_P, _R]:
    """``function`` as ``name``, called with the fields of ``options`` instead of an instance of it."""

    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        __tracebackhide__ = True
        return function(options(*args, **kwargs))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = function.__doc__
    call.__module__ = function.__module__
    returns = inspect.signature(function).return_annotation
    call.__signature__ = inspect.signature(options).replace(return_annotation=returns)  # type: ignore[attr-defined]
    return call


def for_python(error: HarnessError) -> HarnessError:
    """The same error with options spelled as arguments, and its parameters without secrets and control characters."""
    if isinstance(error, ManyProblemsError):
        return ManyProblemsError([for_python(problem) for problem in error.problems])
    from harness.record.plain_text import plain  # only for an error, so that a program's start stays fast

    where, params = map_texts([error.where_at, dict(error.params)], lambda text: redacted(plain(text)))
    safe = HarnessError(error.code, where=where, exit_code=error.exit_code, **params)
    safe.style = keyword_argument
    return safe
