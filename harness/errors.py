"""Errors that a user can cause, and the exit codes.

:class:`HarnessError` is raised anywhere and caught once by each front end, which prints one message without a
traceback. Its words stand in :mod:`harness.messages`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from harness.messages import (
    Message,
    Option,
    OptionStyle,
    command_line_option,
    from_data,
    params_from_data,
    params_to_data,
    to_data,
)

if TYPE_CHECKING:
    from pydantic import ValidationError


_MOST_SHOWN = 20
"""Problems that are shown together; more are of the same kind."""


class ExitCode(IntEnum):
    """Exit codes of ``harness``. Public: CI jobs rely on them."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    BROKEN = 4
    INTERRUPTED = 130


class HarnessError(Exception):
    """A problem that the user can fix.

    ``code`` identifies it (``profile-not-found``) and ``params`` fill its sentence: what is wrong, and the hint: what
    would be right. ``where`` names the file, line or key (``profiles/load.toml:12: phase[0].rate``), or is the
    :class:`Option` at fault. ``exit_code`` is 2 for wrong input and 4 for a run that could not be made.
    """

    def __init__(
        self,
        code: str,
        /,
        *,
        where: str | Option | None = None,
        exit_code: ExitCode = ExitCode.USAGE,
        **params: object,
    ) -> None:
        self.code = code
        self.where_at = where
        self.exit_code = exit_code
        self.params: Mapping[str, object] = params
        self.style: OptionStyle = command_line_option
        super().__init__(code)

    @property
    def message(self) -> str:
        """What is wrong, in one sentence."""
        return self.reason().text(self.style)

    @property
    def where(self) -> str | None:
        """The file, line, key or option at fault."""
        return self.style(self.where_at) if isinstance(self.where_at, Option) else self.where_at

    @property
    def hint(self) -> str | None:
        """What would be right."""
        return self.reason().hint(self.style)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  {self.hint}" if self.hint else text

    def reason(self) -> Message:
        """What is wrong, to be part of another message."""
        return Message(self.code, self.params)

    def to_data(self) -> dict[str, Any]:
        """As maps, lists, numbers and texts, for another process; see :meth:`from_data`."""
        return {
            "code": self.code,
            "where": to_data(self.where_at),
            "exit_code": int(self.exit_code),
            "params": params_to_data(self.params),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> HarnessError:
        """The error that a child process reported."""
        if "problems" in data:
            return ManyProblemsError([HarnessError.from_data(problem) for problem in data["problems"]])
        where = from_data(data["where"])
        return HarnessError(
            data["code"],
            where=where if isinstance(where, Option | str) else None,
            exit_code=ExitCode(data["exit_code"]),
            **params_from_data(data["params"]),
        )


class ManyProblemsError(HarnessError):
    """Several problems of one input, reported together. The exit code is that of the first."""

    def __init__(self, problems: list[HarnessError]) -> None:
        super().__init__("many-problems", exit_code=problems[0].exit_code, count=len(problems))
        self.problems = problems

    @property
    def message(self) -> str:
        shown = [str(problem) for problem in self.problems[:_MOST_SHOWN]]
        left = len(self.problems) - len(shown)
        return "\n".join([*shown, *([str(Message("more-problems", {"count": left}))] if left else [])])

    def to_data(self) -> dict[str, Any]:
        return super().to_data() | {"problems": [problem.to_data() for problem in self.problems]}


class InvalidValue(ValueError):  # noqa: N818  (what a parser found, not a failure of its own)
    """A value that means nothing. ``code`` and ``params`` are those of a ``HarnessError``.

    ``key`` names the key at fault where the value is a table or a whole phase, else None. A ``ValueError``, so that
    pydantic collects it together with the other problems of the same table.
    """

    def __init__(self, code: str, /, *, key: str | None = None, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.key = key
        self.params = params


def problems_of(error: HarnessError) -> list[HarnessError]:
    """The single problems that an error reports."""
    return list(error.problems) if isinstance(error, ManyProblemsError) else [error]


def first_problem(of: ValidationError) -> str:
    """The first thing that is wrong with data that a program wrote: its key and what pydantic says of it."""
    first = of.errors(include_url=False)[0]
    key = ".".join(map(str, first["loc"]))
    return f"{key}: {first['msg']}" if key else first["msg"]


def how_to_install(extra: str) -> str:
    """The hint where an optional part is missing: from where the harness itself came, which is not a package index."""
    return f"Run `uv sync --extra {extra}` (in your own project: `uv add --dev harness --extra {extra}`)."
