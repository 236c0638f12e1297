"""``harness baseline set`` and ``accept``: what makes a run, or the runs from it on, the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from harness.cli import options
from harness.cli.baseline_shown import described, draw, explain, slides
from harness.cli.std_streams import print_json, say
from harness.cli.terminal import Terminal
from harness.control.run_lookup import existing_store, find_or_fetch, has_store
from harness.errors import ExitCode, HarnessError
from harness.messages import Option
from harness.record.environment import Environment
from harness.record.gate_result import GateResult
from harness.record.measurement import Baseline
from harness.record.plain_text import one_line
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary

if TYPE_CHECKING:
    from harness.store import RunEntry, Store

WINDOW = 10
"""How many runs a window has by default."""


@click.command("set")
@click.argument("run")
@click.option("--add", is_flag=True, help="Add the run to the baseline instead of replacing it.")
@click.option(
    "--up-to",
    type=options.WholeNumber(min=1),
    metavar="N",
    help="Add the run only if it passed and the baseline has fewer than N runs.",
)
@click.option(
    "--window",
    type=options.WholeNumber(min=1),
    metavar="N",
    help="Compare with the last N runs that did not fail, from now on.",
)
@click.option("--force", is_flag=True, help="Use the run even if it failed, was broken or was interrupted.")
@options.out
@options.as_json
def set_(run: str, add: bool, up_to: int | None, window: int | None, force: bool, out: Path, as_json: bool) -> None:
    """Make RUN (a run folder, a run ID or "latest") the baseline of its scenario, profile and environment.

    With several runs (--add), gates know how much runs of one build vary, and do not mistake noise for a change.
    With --up-to, a CI job can call this after every run: the first N runs that passed become the baseline, which then
    stays the same. A run also counts as passed if its only inconclusive gates had no baseline to compare with.

    With --window, the baseline of runs like RUN moves: each run that did not fail joins it, inconclusive ones too, and
    the oldest leaves it. A CI job can call this after every run. Runs that were set without it are pinned: they stay
    the baseline until `harness baseline rm` removes them.
    """
    if window is not None and (add or up_to or force):
        raise click.UsageError("--window takes runs by itself: leave out --add, --up-to and --force.")
    found = _found(run, out)
    _reject_duet(found.entry)
    if window is None:
        _reject_unfit(found.entry.summary, force)
    with found.open_store() as store:
        before = store.baseline_for(*found.key) if up_to is not None else None
        enough = before is not None and up_to is not None and len(before.runs) >= up_to
        if window is not None:
            store.set_window(found.entry, window)
        elif not enough:
            if up_to is not None:  # nobody checks the run before it is added
                _reject_undecided(found.entry.summary, force)
            # Another job may have added a run meanwhile.
            enough = not store.set_baseline(found.entry, replace=not (add or up_to), up_to=up_to)
        baseline, verdicts = _with_verdicts(store, found.key)
        shown = store.shown
    if as_json:
        print_json(described(baseline, verdicts) if baseline else None)
        return
    console = Terminal()
    if window is not None:
        say(slides(baseline, window, found.entry.summary, shown, found.reports))
        return
    assert baseline is not None
    if enough:
        console.print(f"The baseline has {len(baseline.runs)} runs and stays as it is, in {shown}.")
        return
    console.print(f"Baseline {'extended' if len(baseline.runs) > 1 else 'set'}, in {shown}:")
    draw(console, baseline, verdicts)
    assert found.entry.measurement is not None
    explain(console, baseline, found.entry.measurement)


@click.command()
@click.argument("run")
@click.option("--why", required=True, metavar="TEXT", help="What was changed on purpose; shown with the baseline.")
@options.out
@options.as_json
def accept(run: str, why: str, out: Path, as_json: bool) -> None:
    """Move the baseline after an intended change: it starts again with RUN, and earlier runs no longer count.

    Name the first run at the new level: later runs that failed only when compared with the old level count, too.

    RUN may have failed the gates that compare with the old baseline. From then on the baseline is a window of the
    latest runs (10, if it had no window before). The reason is kept with it.
    """
    why = one_line(why)
    if not why:
        raise HarnessError("baseline-accept-without-why", where=Option("why"))
    found = _found(run, out)
    _reject_duet(found.entry)
    if found.entry.summary.exit_code in (ExitCode.BROKEN, ExitCode.INTERRUPTED):
        raise HarnessError(
            "baseline-accept-unfit", where=found.entry.summary.run_id, reason="".join(found.entry.summary.reasons[:1])
        )
    with found.open_store() as store:
        store.accept(found.entry, why, most=WINDOW)
        baseline, verdicts = _with_verdicts(store, found.key)
        shown = store.shown
    assert baseline is not None
    if as_json:
        print_json(described(baseline, verdicts))
        return
    say(f"The baseline begins with {found.entry.summary.run_id}, in {shown}:")
    draw(Terminal(), baseline, verdicts)


@dataclass(frozen=True, slots=True)
class _Found:
    """A run for the baseline, and the store in which runs like it are compared."""

    entry: RunEntry
    reports: Path

    @property
    def key(self) -> tuple[str, str, str]:
        return self.entry.summary.scenario, self.entry.summary.profile, self.entry.fingerprint

    def open_store(self) -> Store:
        from harness.store import open_store

        return open_store(None, self.reports)


def _found(run: str, out: Path) -> _Found:
    from harness.analysis.measurement import measure
    from harness.recording import RunRecording, open_recording
    from harness.store import RunEntry

    try:
        folder = find_or_fetch(run, out)
    except HarnessError:
        stored = None if run == "latest" or Path(run).exists() or (out / run).exists() else _stored(run, out)
        if stored is None:
            raise
        return _Found(stored, out)
    summary = _judged(folder)
    environment = read_model(folder.environment, Environment)
    recording = open_recording(folder)
    # As a copy that was cut off: the summary of a run that was killed itself says that it is broken.
    whole = not isinstance(recording, RunRecording) or recording.journal.end_reason is not None
    if not whole and summary.exit_code in (ExitCode.PASS, ExitCode.INCONCLUSIVE):
        raise HarnessError("run-not-complete", where=str(folder.journal), run_id=folder.run_id)
    entry = RunEntry(summary, environment.fingerprint, folder.path, environment.commit, measurement=measure(recording))
    # A baseline belongs in the store where runs like it are compared: the one beside it, unless --out names another.
    named = click.get_current_context().get_parameter_source("out") is ParameterSource.COMMANDLINE
    return _Found(entry, out if named else folder.path.parent)


def _stored(run_id: str, out: Path) -> RunEntry | None:
    """A run whose folder is gone: the store has all that a baseline needs."""
    if not has_store(out):
        return None
    with existing_store(out) as store:
        return store.entry_of(run_id)


def _with_verdicts(store: Store, key: tuple[str, str, str]) -> tuple[Baseline | None, dict[str, str]]:
    baseline = store.baseline_for(*key)
    return baseline, store.verdicts(run.run_id for run in baseline.runs) if baseline else {}


def _judged(folder: RunFolder) -> Summary:
    if not folder.summary.is_file():
        raise HarnessError("run-not-judged", where=str(folder.path), run_id=folder.run_id)
    return read_model(folder.summary, Summary)


def _reject_duet(entry: RunEntry) -> None:
    if entry.measurement is not None and entry.measurement.is_duet:
        raise HarnessError("baseline-of-duet", where=entry.summary.run_id)


def _reject_unfit(summary: Summary, force: bool) -> None:
    reason = summary.reasons[0] if summary.reasons else summary.verdict
    unfit: dict[int, str] = {
        ExitCode.FAIL: "baseline-run-failed",
        ExitCode.BROKEN: "baseline-run-broken",
        ExitCode.INTERRUPTED: "baseline-run-interrupted",
    }
    code = unfit.get(summary.exit_code)
    if code is not None and not force:
        raise HarnessError(code, where=summary.run_id, reason=reason, force=Option("force"))


def _reject_undecided(summary: Summary, force: bool) -> None:
    """Reject a run with an undecided gate, unless that gate only lacks a baseline, as in the first runs."""
    limited = {phase.name for phase in summary.phases if phase.generator_limited}
    undecided = [
        gate
        for gate in summary.gates
        if gate.status == "inconclusive" and (gate.phase in limited or not _lacks_only_a_baseline(gate))
    ]
    complete = summary.exit_code in (ExitCode.PASS, ExitCode.INCONCLUSIVE)  # an interrupted run is inconclusive, too
    if force or (complete and not undecided):
        return
    reason = undecided[0].reason if undecided else summary.reasons[0] if summary.reasons else ""
    raise HarnessError(
        "baseline-run-undecided",
        where=summary.run_id,
        verdict=summary.verdict,
        reason=reason,
        up_to=Option("up_to"),
        force=Option("force"),
    )


def _lacks_only_a_baseline(gate: GateResult) -> bool:
    """Whether its figure is known but its limit is not, because that comes from a baseline."""
    return gate.observed is not None and gate.limit is None
