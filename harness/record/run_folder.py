"""The run folder: where each thing that a run produced lies. It is the only thing handed on from a run."""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from harness.errors import HarnessError, first_problem
from harness.record.files import ordinary

Model = TypeVar("Model", bound=BaseModel)

_JSON_FAULT = re.compile(r"(.+) at line (\d+) column \d+", re.DOTALL)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.]+")
_STARTED = "%Y%m%dT%H%M%SZ"
_DAMAGED = "The file is damaged, or of another version of the harness."


def new_run_id(scenario: str, profile: str, now: datetime | None = None) -> str:
    """UTC time, scenario, profile, 4 random characters: sortable, unique, safe as a file name."""
    moment = (now or datetime.now(UTC)).strftime(_STARTED)
    words = [_UNSAFE.sub("_", word).strip("._") or "run" for word in (scenario, profile)]
    return "-".join([moment, *words, secrets.token_hex(2)])


def started_by_id(run_id: str) -> datetime | None:
    """When a run began, as its id tells; None where it is none of :func:`new_run_id`: a folder may be renamed."""
    try:
        return datetime.strptime(run_id.partition("-")[0], _STARTED).replace(tzinfo=UTC)
    except ValueError:
        return None


class RunFolder:
    """The paths of one run's folder. Making one touches nothing; :meth:`create` and :meth:`open` do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan = path / "plan.json"
        self.environment = path / "environment.json"
        self.journal = path / "journal"
        self.benchmarks = path / "benchmark.json"
        self.rounds = path / "rounds.parquet"
        self.suite = path / "suite.json"
        self.suite_end = path / "suite-end.json"
        self.benchmark_memory = path / "memory.json"
        self.history = path / "history.json"
        self.resources = path / "resources"
        self.profiles = path / "profiles.json"
        self.verification = path / "verify.json"
        self.comparison = path / "baseline.json"
        self.cpu = path / "cpu"
        self.memory = path / "memory"
        self.summary = path / "summary.json"
        self.report = path / "report.html"
        self.markdown = path / "summary.md"
        self.comment = path / "comment.md"
        self.junit = path / "junit.xml"
        self.log = path / "harness.log"
        self.target_log = path / "target.log"

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def is_bench(self) -> bool:
        """Whether ``harness bench`` made it. Raises :class:`HarnessError` where plan.json is missing or damaged."""
        plan = read_json(self.plan)
        return isinstance(plan, dict) and plan.get("kind") == "bench"

    @property
    def started_at(self) -> datetime:
        """As its name says; one that somebody has renamed is as old as its plan."""
        return started_by_id(self.run_id) or datetime.fromtimestamp(self.plan.stat().st_mtime, UTC)

    @classmethod
    def create(cls, parent: Path, run_id: str) -> RunFolder:
        """Make the folder. Raises :class:`HarnessError` where it cannot be written."""
        folder = cls(parent / run_id)
        try:
            folder.path.mkdir(parents=True)
        except OSError as fault:
            raise HarnessError(
                f"the run folder cannot be made: {fault.strerror or fault}",
                where=str(folder.path),
                hint="Give a folder that can be written: --out DIR",
            ) from fault
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run folder. Raises :class:`HarnessError` where ``path`` is none."""
        if not path.is_dir():
            raise HarnessError(
                "there is no such run folder", where=str(path), hint="`ls reports/` shows those there are."
            )
        folder = cls(path)
        if not folder.plan.is_file():
            raise HarnessError(
                "this is not a run folder: it holds no plan.json",
                where=str(path),
                hint="A run folder is made by `harness run`, below reports/ or --out DIR.",
            )
        return folder


def find_run(name: str, parent: Path) -> RunFolder:
    """The run folder that ``name`` means: a path, a run-id below ``parent``, or ``latest``.

    Raises :class:`HarnessError` where there is none.
    """
    if name == "latest":
        runs = sorted(
            path.parent for path in parent.glob("[!.]*/plan.json")
        )  # not one that is being fetched, or removed
        if not runs:
            raise HarnessError("there is no run yet", where=str(parent), hint="`harness run SCENARIO` makes one.")
        return RunFolder.open(runs[-1])
    below = parent / name
    return RunFolder.open(below if below.is_dir() and not Path(name).is_dir() else Path(name))


def write_text(path: Path, text: str) -> None:
    """Write a whole file at once: a reader, or a crash, never sees half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:  # raised again: an interrupt, too, must leave no half file behind
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """As :func:`write_text`, for a JSON value. Half characters, which user code may have made, become ``?``."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_text(path, text.encode("utf-8", "replace").decode("utf-8"))


def read_json(path: Path) -> Any:
    """A JSON file of a run folder. Raises :class:`HarnessError` where it is missing or damaged, naming the line."""
    try:
        content = ordinary(path).read_bytes()
    except FileNotFoundError as fault:
        raise HarnessError("the file is missing from the run folder", where=str(path)) from fault
    except OSError as fault:
        raise HarnessError(f"the file cannot be read: {fault}", where=str(path)) from fault
    try:
        # Stricter than Python's own reader: no NaN, no half characters, no endless nesting, which fail later and worse.
        return from_json(content, allow_inf_nan=False)
    except ValueError as fault:
        found = _JSON_FAULT.fullmatch(str(fault))
        what, line = (found[1], found[2]) if found else (str(fault), "1")
        raise HarnessError(f"not valid JSON: {what}", where=f"{path}:{line}") from fault


def read_model(path: Path, model: type[Model], *, hint: str = _DAMAGED) -> Model:
    """As :func:`read_json`, for a file of one of our formats. Raises :class:`HarnessError` naming the first bad key."""
    try:
        return model.model_validate(read_json(path))
    except ValidationError as fault:
        raise not_of_the_format(path, fault, hint) from fault


def not_of_the_format(path: Path, fault: ValidationError, hint: str = _DAMAGED) -> HarnessError:
    """What is told of a file whose values are not what they should be: its first bad key."""
    return HarnessError(first_problem(fault), where=str(path), hint=hint)
