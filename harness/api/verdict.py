"""The verdict of a run, for tests to assert: ``assert run.verdict.passed``. Its text gives the reasons."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ExitCode
from harness.plan.config_source import shown_path
from harness.record import summary
from harness.record.plain_text import plain


@dataclass(frozen=True, repr=False)
class Verdict:
    """The verdict of a run: ``status`` is ``pass``, ``fail``, ``inconclusive`` or ``broken``.

    ``exit_code`` is the one of ``harness run``. ``reasons`` come in order of importance; that of a gate which did not
    hold names the requirement, what was observed with its 95 % interval, and the limit. ``folder`` is the run folder.

    A verdict is true if the run passed. ``str()`` gives the reasons, and where to see more.
    """

    status: summary.Verdict
    exit_code: int
    reasons: tuple[str, ...]
    folder: Path

    @classmethod
    def of(cls, result: summary.Summary, folder: Path) -> Verdict:
        """The verdict of a summary, without control characters that came from the target."""
        reasons = tuple(" ".join(plain(reason).split()) for reason in result.reasons)
        return cls(result.verdict, result.exit_code, reasons, folder)

    @property
    def passed(self) -> bool:
        """Every gate held, for certain. A run that is :attr:`inconclusive` has not passed."""
        return self.status == "pass"

    @property
    def failed(self) -> bool:
        """A gate did not hold, for certain, and the run is valid."""
        return self.status == "fail"

    @property
    def inconclusive(self) -> bool:
        """No gate failed for certain, but noise, too few requests or an interruption left one or more undecided."""
        return self.status == "inconclusive"

    @property
    def broken(self) -> bool:
        """The run itself is not valid: the target was lost, or the load generator was the bottleneck."""
        return self.status == "broken"

    @property
    def interrupted(self) -> bool:
        """The run was interrupted (Ctrl-C, SIGTERM); it is then inconclusive."""
        return self.exit_code == ExitCode.INTERRUPTED

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"<{self.status}: {self.folder.name}: {'; '.join(self.reasons)}>"

    def __str__(self) -> str:
        shown = shown_path(self.folder)
        more = (f"see more: harness gate {shlex.quote(shown)}", f"report: {shown}/report.html")
        return "\n".join((f"{self.status}: {self.reasons[0] if self.reasons else ''}", *self.reasons[1:], *more))
