"""Measures how often the right cause is first: the shop's defects on two databases, and clean runs.

Every run puts the same load on a shop. Runs without a defect are the baseline; more of them must get no cause. What the
right causes of a defect are stands in :data:`DEFECTS`; the analysis knows nothing of them.

    uv run python benchmarks/causes.py --record /tmp/causes --judge /tmp/causes
    uv run python benchmarks/causes.py --record /tmp/causes --database sqlite --part baseline

Parts are recorded one by one where a quiet machine is to be had only for minutes. What is there already is left out.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

import harness
from benchmarks.output import run_command, show
from benchmarks.postgresql import start_postgresql
from harness.analysis.measurement import measure
from harness.explain import explained
from harness.gates.judge import judge
from harness.plan.expression import parse_requirement
from harness.plan.model.run import Gate
from harness.record.explanation import Cause, Explanation
from harness.record.measurement import Baseline
from harness.record.run_folder import RunFolder, write_json
from harness.recording import open_recording

SCENARIO = Path(__file__).parents[1] / "scenarios" / "flash_sale.py"
DATABASES = ("sqlite", "postgresql")
GATES = ("p95 < 50ms", "error_rate < 1%")
"""Those of the scenario that any load can be held to."""


@dataclass(frozen=True)
class Truth:
    """What a right cause of a defect is: one of ``kinds`` at one of ``functions`` (none: anywhere)."""

    kinds: tuple[str, ...]
    functions: tuple[str, ...] = ()

    def accepts(self, cause: Cause) -> bool:
        names = cause.place.function.split(".") if cause.place else []  # with those around a nested function
        return cause.kind in self.kinds and (not self.functions or any(name in self.functions for name in names))


_WORK = ("cpu", "downstream", "statements")
_READS = ("_read_page", "_read_products", "_read_hits", "fetch", "fetch_many", "read", "_connection", "take")
DEFECTS: dict[str, Truth] = {
    "slow_search": Truth(("cpu",), ("rank_by_edit_distance", "ranks_by_edit_distance", "_edit_distance")),
    "n_plus_one": Truth(_WORK, ("read_item_by_item", "_one_by_one")),
    "leak": Truth(("memory",)),
    "oversell": Truth(("new-code",), ("write_stale_stock", "stock_in_cache")),
    "small_pool": Truth(("pool",)),
    "cache_off": Truth((*_WORK, "cache"), _READS),
    "lock_convoy": Truth(("lock", *_WORK), ("count_stock_under_global_lock",)),
    "slow_serialization": Truth(("cpu",), ("render_in_pure_python", "_render", "render_list")),
}


@contextmanager
def _environment(database: str, defect: str) -> Iterator[None]:
    """The settings of a shop, for those that this process starts."""
    with ExitStack() as stack:
        changed = {"SHOP_DEFECTS": defect}
        if database == "postgresql":
            changed["SHOP_DATABASE_URL"] = stack.enter_context(start_postgresql())
        before = {name: os.environ.get(name) for name in changed}
        os.environ.update(changed)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def _record(out: Path, name: str, database: str, defect: str, seed: int, users: int, seconds: float) -> None:
    """One run, kept as ``DATABASE/NAME``; left out if it is there."""
    kept = out / database / name
    if kept.exists():
        return
    click.echo(f"{database}: {name}", err=True)
    with _environment(database, defect):
        done = harness.run(
            SCENARIO,
            phases=[
                harness.ramp(users=users, over=min(3.0, seconds / 3)),
                harness.steady(users=users, hold=f"{seconds:g}s"),
            ],
            gates=[],  # they are judged later
            seed=seed,
            out=out / database / "runs",
            set={"sampling.memory": False},
        )
    Path(done.folder.path).rename(kept)


def _parts(part: str, seeds: int, clean: int, baseline: int) -> Iterator[tuple[str, str, int]]:
    """The runs of a part: name, defect and seed."""
    if part in ("all", "baseline"):
        yield from ((f"baseline-{number}", "", number) for number in range(baseline))
    if part in ("all", "clean"):
        yield from ((f"clean-{number}", "", 100 + number) for number in range(clean))
    for defect in DEFECTS:
        if part in ("all", "defects", defect):
            yield from ((f"{defect}-{number}", defect, 200 + number) for number in range(seeds))


def _explanations(folder: RunFolder, baseline: Sequence[RunFolder]) -> list[Explanation]:
    """As ``harness run`` explains a run with that baseline."""
    runs = [measure(open_recording(each)) for each in baseline]
    machine = open_recording(baseline[0]).environment
    assert machine is not None
    kept = Baseline(scenario=runs[0].scenario, profile=runs[0].profile, fingerprint=machine.fingerprint, runs=runs)
    write_json(folder.comparison, kept.model_dump(by_alias=True))
    recording = open_recording(folder)
    gates = [Gate(comparison=parse_requirement(text), phase="steady") for text in GATES]
    return explained(recording, judge(recording, gates=gates)).explanations


def _judge(out: Path) -> None:
    rows, values, groups = [], [], defaultdict(list)
    for database in (path.name for path in sorted(out.iterdir()) if path.is_dir()):
        folders = {path.name: RunFolder.open(path) for path in sorted((out / database).iterdir()) if "-" in path.name}
        before = [folder for name, folder in folders.items() if name.startswith("baseline-")]
        for name, folder in folders.items():
            defect = name.rpartition("-")[0]
            if defect == "baseline":
                continue
            found = [explanation for explanation in _explanations(folder, before) if explanation.causes]
            first = found[0].causes[0] if found else None
            truth = DEFECTS.get(defect)
            right = first is None if truth is None else first is not None and truth.accepts(first)
            among = truth is not None and any(truth.accepts(cause) for each in found for cause in each.causes)
            groups["clean" if truth is None else "defects"].append(right)
            said = "no cause" if first is None else f"{found[0].what.text}: {first.what.text}"
            rows.append([database, name, "yes" if right else "among" if among else "no", said])
            values.append({"database": database, "run": name, "right": right, "among": among, "said": said})
    shares = {name: sum(right) / len(right) for name, right in groups.items()}
    counts = {name: len(right) for name, right in groups.items()}
    show(
        "Whether the right cause stands first (clean runs: whether none is named)",
        ["database", "run", "right", "first cause"],
        rows,
        {"benchmark": "causes", "shares": shares, "counts": counts, "runs": values},
    )


@click.command()
@click.option("--record", "record_to", type=click.Path(path_type=Path), help="Record runs into this folder.")
@click.option("--judge", "judge_from", type=click.Path(path_type=Path, exists=True), help="Explain what was recorded.")
@click.option("--database", type=click.Choice(["all", *DATABASES]), default="all", show_default=True)
@click.option("--part", type=click.Choice(["all", "baseline", "clean", "defects", *DEFECTS]), default="all")
@click.option("--seeds", default=10, show_default=True, help="Runs of each defect.")
@click.option("--clean", default=20, show_default=True, help="Clean runs that are compared.")
@click.option("--baseline", default=3, show_default=True, help="Clean runs to compare with.")
@click.option("--users", default=60, show_default=True)
@click.option("--seconds", default=20.0, show_default=True, help="Of the steady phase.")
@click.option("--short", is_flag=True, help="Some seconds, only to check that it works.")
def main(
    record_to: Path | None,
    judge_from: Path | None,
    database: str,
    part: str,
    seeds: int,
    clean: int,
    baseline: int,
    users: int,
    seconds: float,
    short: bool,
) -> None:
    """Measure how often the right cause is listed first."""
    if short:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _record(folder, "slow_search-0", "sqlite", "slow_search", 1, 5, 3.0)
            for run in ("baseline-0", "clean-0"):
                shutil.copytree(folder / "sqlite" / "slow_search-0", folder / "sqlite" / run)
            _judge(folder)
        return
    if record_to is not None:
        for each in DATABASES if database == "all" else (database,):
            (record_to / each).mkdir(parents=True, exist_ok=True)
            for name, defect, seed in _parts(part, seeds, clean, baseline):
                _record(record_to, name, each, defect, seed, users, seconds)
            shutil.rmtree(record_to / each / "runs", ignore_errors=True)
    if judge_from is not None:
        _judge(judge_from)


if __name__ == "__main__":
    run_command(main)
