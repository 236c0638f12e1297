"""What reports are made from, and the one shape of all their sections and of all output formats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from harness.analysis.functions import is_working, working
from harness.record.comparison import Comparison
from harness.record.history import History
from harness.record.measurement import phase_title
from harness.record.profiles import Profile, ProfileIndex, SpanStack, Stack, read_folded, read_spans
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary
from harness.recording import BenchRecording, RunRecording, open_recording
from harness.report.blocks import Block


@dataclass(frozen=True, slots=True)
class ProfileStacks:
    """One profile and its folded stacks. Of CPU profiles only the stacks of working threads.

    ``by_span`` are the same stacks by the span that they were sampled in; empty if they were sampled in one go.
    """

    profile: Profile
    stacks: list[Stack]
    by_span: list[SpanStack]


@dataclass(frozen=True, slots=True)
class Report:
    """A judged run or bench. ``missing`` are profiles whose files are gone from the run folder."""

    summary: Summary
    recording: RunRecording | BenchRecording
    profiles: list[ProfileStacks]
    missing: list[Profile]

    @property
    def run(self) -> RunRecording | None:
        return self.recording if isinstance(self.recording, RunRecording) else None

    @property
    def suite(self) -> BenchRecording | None:
        return self.recording if isinstance(self.recording, BenchRecording) else None

    def profiled(self, profile: Profile) -> str:
        """The name of the phase or benchmark that ``profile`` was taken in."""
        if isinstance(self.recording, BenchRecording):
            return self.recording.shown(self.recording.report.benchmarks[profile.phase])
        return phase_title(self.recording.plan.phases[profile.phase].name, profile.variant)


@dataclass(frozen=True, slots=True)
class Exporter:
    """An output format: its name in ``summary.json`` (``artifacts``), its file in the run folder, how it is made."""

    name: str
    file: str
    render: Callable[[Report], str]


def read_report(folder: RunFolder, recording: RunRecording | BenchRecording | None = None) -> Report:
    """What reports show of a folder, of which ``recording`` may have been read before.

    Raises :class:`HarnessError` if it is not judged yet, or a file of it is damaged.
    """
    summary = read_model(folder.summary, Summary, code="summary-damaged")
    recording = recording or open_recording(folder)
    return Report(summary, recording, *_profiles(folder, recording.profiles))


def _profiles(folder: RunFolder, index: ProfileIndex) -> tuple[list[ProfileStacks], list[Profile]]:
    profiles: list[ProfileStacks] = []
    missing: list[Profile] = []
    for profile in index.profiles:
        path = folder.path / profile.path
        if profile.kind == "waits":  # most threads in it wait for work
            continue
        if path.is_file():
            profiles.append(_stacks(folder, profile, path))
        else:
            missing.append(profile)
    return profiles, missing


def _stacks(folder: RunFolder, profile: Profile, path: Path) -> ProfileStacks:
    stacks = read_folded(path)
    spans = folder.path / profile.spans_path if profile.spans_path else None
    by_span = read_spans(spans, profile) if spans is not None and spans.is_file() else []
    at_work = working(stacks) if profile.unit == "samples" else stacks
    return ProfileStacks(profile, at_work, [found for found in by_span if is_working(found.stack)])


Result = TypeVar("Result", contravariant=True)
"""What a section says in text: the summary of a run, or a comparison."""
Content = TypeVar("Content", contravariant=True)
"""What its page is made from: a report, or the same comparison."""


class SectionOf(ABC, Generic[Result, Content]):
    """One part of a report: what it says in text, and what it shows on the HTML page.

    A section needs only :meth:`text`: the page then draws the same blocks. One that shows more has a template of its
    own, which reads :meth:`values`, and may have scripts.
    """

    id: ClassVar[str]
    """Its anchor on the page."""
    title: ClassVar[str]
    brief: ClassVar[bool] = False
    """Whether a pull request comment has room for it."""
    template: ClassVar[str] = "blocks.html"
    scripts: ClassVar[tuple[str, ...]] = ()
    """The files in ``assets/`` that the page runs for it, in this order. Several sections may name the same one."""

    def text(self, summary: Result) -> Sequence[Block]:  # noqa: ARG002 - sections override it
        """What Markdown and the terminal show; nothing where the section has no text or the run no such data."""
        return ()

    @abstractmethod
    def values(self, report: Content) -> dict[str, Any] | None:
        """What the template reads, besides ``summary`` and ``section``; None leaves the section out of the page.

        ``data``, where given, is embedded as JSON for the scripts, under the id ``<id>-data``.
        """


class Section(SectionOf[Summary, Report]):
    """One part of the report on a run or a bench."""

    def values(self, report: Report) -> dict[str, Any] | None:
        return shown_as_text(self.text(report.summary))


class ComparisonSection(SectionOf[Comparison, Comparison]):
    """One part of the page on two builds."""

    def values(self, report: Comparison) -> dict[str, Any] | None:
        return shown_as_text(self.text(report))


class HistorySection(SectionOf[History, History]):
    """One part of the page on a scenario's history."""

    def values(self, report: History) -> dict[str, Any] | None:
        return shown_as_text(self.text(report))


def shown_as_text(blocks: Sequence[Block]) -> dict[str, Any] | None:
    """What ``blocks.html`` reads; None where there is nothing to show."""
    return {"blocks": blocks} if blocks else None
