"""``summary.json``, a run's result for programs. Public: adding is free, changing bumps ``schema``.

Times: ``_s`` seconds from the run's start, ``_ms`` milliseconds; rates per second; ``error_rate`` is a share 0…1.
A figure that does not exist (a percentile of no requests) is ``null``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from harness.messages import Message
from harness.record.benchmark_figures import BenchmarkFigures
from harness.record.changes import BaselineRef, Change, Duet, Suspect
from harness.record.contract_summary import ContractSummary
from harness.record.endpoint_statements import EndpointStatements
from harness.record.explanation import Explanation
from harness.record.fault_report import FaultReport
from harness.record.findings import Leak, ProcessEnd
from harness.record.gate_result import GateResult
from harness.record.generator import Generator
from harness.record.notice import Notice
from harness.record.phase_summary import PhaseSummary
from harness.record.plain_text import steering_escaped

Verdict = Literal["pass", "fail", "inconclusive", "broken"]


class Totals(BaseModel):
    requests: int = 0
    failures: int = 0
    iterations: int = 0
    bytes_received: int = 0


class CheckFigures(BaseModel):
    """How often a check of the scenario passed and failed in a phase."""

    name: str
    phase: str
    variant: str = ""
    """In a duet the build, ``a`` or ``b``."""
    passed: int
    failed: int
    share: float
    """That passed, 0…1; ``interval`` is its 95 % interval."""
    interval: tuple[float, float]
    samples: list[str] = []
    """Why it failed, a few times in the whole run."""


class FailureKind(BaseModel):
    """One kind of failure on one endpoint, with a few failed requests in full."""

    method: str
    name: str
    failure: str
    code: str = ""
    """What the harness calls a failure that it found itself (``response-timeout``); empty for others."""
    count: int
    first_s: float
    last_s: float
    samples: list[dict[str, str]] = []


class Summary(BaseModel):
    """The whole result."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: int = Field(1, alias="schema")
    kind: Literal["run", "bench"] = "run"
    """In a ``bench``, ``scenario`` is the name of the suite, and ``benchmarks`` has the figures."""
    run_id: str
    scenario: str
    profile: str
    started_at: str
    """ISO 8601, UTC."""
    duration_s: float
    verdict: Verdict
    exit_code: int
    reasons: list[str] = []
    """The reasons for the verdict, the most important first."""
    verdict_reasons: list[Notice] = []
    """The reasons again, each with its code and parameters."""
    warnings: list[str] = []
    """What could not be sampled, checked or kept; none changes the verdict."""
    notices: list[Notice] = []
    """The warnings again, each with its code and parameters."""
    totals: Totals = Totals()
    phases: list[PhaseSummary] = []
    benchmarks: list[BenchmarkFigures] = []
    gates: list[GateResult] = []
    checks: list[CheckFigures] = []
    """Of each phase in order, by name."""
    figures: dict[str, float] = {}
    """What the scenario's ``verify`` found, by name."""
    generator: Generator = Generator()
    faults: list[FaultReport] = []
    """What was broken on purpose, in order."""
    ends: list[ProcessEnd] = []
    """Processes of the target that died during the load."""
    leaks: list[Leak] = []
    suspects: list[Suspect] = []
    """The functions that certainly cost more CPU per request than in the baseline."""
    candidates: list[Suspect] = []
    """Those that are likely to."""
    profile_notes: list[Notice] = []
    """What the comparison of the profiles could not see, and why."""
    explanations: list[Explanation] = []
    """Why gates failed and figures got worse, one for each place (phase and endpoint) and kind of figure."""
    failures: list[FailureKind] = []
    statements: list[EndpointStatements] = []
    """What traced requests did inside the target; each phase in order, its endpoints by the time spent on them."""
    contract: ContractSummary | None = None
    """Null unless responses were checked against an OpenAPI document."""
    baseline: BaselineRef | None = None
    changes: list[Change] = []
    """Of all figures that the baseline has, too; each measured phase in order. In a duet, from build A to build B."""
    duet: Duet | None = None
    artifacts: dict[str, str] = {}

    @property
    def findings(self) -> list[ProcessEnd | Leak]:
        """What the run found out about the target's processes, the gravest first."""
        return [*self.ends, *self.leaks]

    def decided(self, reasons: Sequence[Message]) -> Self:
        """This summary with the reasons of its verdict."""
        notices = [Notice.of(reason) for reason in reasons]
        return self.model_copy(update={"reasons": [notice.text for notice in notices], "verdict_reasons": notices})

    def warned(self, *warnings: Message | str) -> Self:
        """This summary with ``warnings`` added."""
        notices = [Notice.of(warning) for warning in warnings if isinstance(warning, Message)]
        return self.model_copy(
            update={
                "warnings": [*self.warnings, *map(str, warnings)],
                "notices": [*self.notices, *notices],
            }
        )

    def to_json(self) -> str:
        """The content of ``summary.json``. Control characters are escaped: it may go to a terminal."""
        return steering_escaped(self.model_dump_json(by_alias=True, indent=2)) + "\n"
