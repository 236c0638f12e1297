"""What a report shows, in order. To add a section, write a file here and list it in :data:`SECTIONS`."""

from __future__ import annotations

from harness.report.contents import ComparisonSection, HistorySection, Section
from harness.report.sections.about import About
from harness.report.sections.baseline import BaselineChanges
from harness.report.sections.benchmarks import Benchmarks, RoundCharts
from harness.report.sections.checks import Checks
from harness.report.sections.comparison import ComparedFigures, ComparedRuns, ComparisonVerdict
from harness.report.sections.contract import Contract
from harness.report.sections.duet import Builds
from harness.report.sections.endpoints import Endpoints, OneEndpoint
from harness.report.sections.errors import Errors
from harness.report.sections.explanations import Explanations
from harness.report.sections.faults import Faults
from harness.report.sections.findings import Findings
from harness.report.sections.flames import Flames
from harness.report.sections.gates import Gates
from harness.report.sections.history import Courses, Runs, Steps
from harness.report.sections.phases import Phases
from harness.report.sections.requests import Requests
from harness.report.sections.scalability import Scalability
from harness.report.sections.surroundings import Surroundings
from harness.report.sections.suspects import Suspects
from harness.report.sections.timeline import ResponseTimes, Timeline
from harness.report.sections.verdict import Verdict, Warnings
from harness.report.sections.waits import Waits

SECTIONS: tuple[Section, ...] = (
    Verdict(),
    Explanations(),
    Findings(),
    Gates(),
    Checks(),
    Faults(),
    Builds(),
    Suspects(),
    Benchmarks(),
    RoundCharts(),
    Phases(),
    Scalability(),
    Timeline(),
    ResponseTimes(),
    Endpoints(),
    Surroundings(),
    OneEndpoint(),
    Contract(),
    Errors(),
    Requests(),
    Flames(),
    Waits(),
    BaselineChanges(),
    Warnings(),
    About(),
)

COMPARISON_SECTIONS: tuple[ComparisonSection, ...] = (
    ComparisonVerdict(),
    ComparedFigures(),
    ComparedRuns(),
)
"""What ``harness compare`` shows."""

HISTORY_SECTIONS: tuple[HistorySection, ...] = (
    Steps(),
    Courses(),
    Runs(),
)
"""What ``harness history`` shows."""
