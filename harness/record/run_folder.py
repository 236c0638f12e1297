"""The run folder: the paths of everything that a run leaves behind."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from harness.errors import ExitCode, HarnessError, first_problem
from harness.messages import Option

Model = TypeVar("Model", bound=BaseModel)

_JSON_ERROR = re.compile(r"(.+) at line (\d+) column \d+", re.DOTALL)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.]+")
LOCK = ".running"
"""The process that makes a run holds a lock on this file of its folder until it ends."""
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
_STARTED = "%Y%m%dT%H%M%SZ"
_LONGEST_WORD = 100
"""Of an id: it names a folder, for which file systems take 255 bytes, and a scenario may be many locustfiles."""


def new_run_id(scenario: str, profile: str, now: datetime | None = None) -> str:
    """UTC time, scenario, profile, 4 random characters: sortable, unique, safe as a file name."""
    started = (now or datetime.now(UTC)).strftime(_STARTED)
    words = [_UNSAFE.sub("_", word).strip("._")[:_LONGEST_WORD] or "run" for word in (scenario, profile)]
    return "-".join([started, *words, secrets.token_hex(2)])


def started_by_id(run_id: str) -> datetime | None:
    """When a run began, by its id; None if :func:`new_run_id` did not make it: folders can be renamed."""
    try:
        return datetime.strptime(run_id.partition("-")[0], _STARTED).replace(tzinfo=UTC)
    except ValueError:
        return None


class RunFolder:
    """The paths of one run's folder. Constructing it does not touch the disk; :meth:`create` and :meth:`open` do."""

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
        self.spans = path / "spans"
        self.metrics = path / "metrics"
        self.statements = path / "statements"
        self.processes = path / "processes"
        self.faults = path / "faults"
        self.contract = path / "contract"
        self.openapi = path / "openapi.json"
        self.pact = path / "pact.json"
        self.profiles = path / "profiles.json"
        self.verification = path / "verify.json"
        self.comparison = path / "baseline.json"
        self.past_runs = path / "past-runs.json"
        self.cpu = path / "cpu"
        self.memory = path / "memory"
        self.summary = path / "summary.json"
        self.report = path / "report.html"
        self.log = path / "harness.log"
        self.target_log = path / "target.log"

    def target_log_of(self, variant: str) -> Path:
        """What the target of a variant wrote: ``target.log``, in a duet ``target-a.log``."""
        return self.path / f"target-{variant}.log" if variant else self.target_log

    @property
    def target_logs(self) -> dict[str, Path]:
        """What there is of that, by the file's name without its ending: ``target``, in a duet ``target-a``."""
        return {path.stem: path for path in sorted(self.path.glob("target*.log"))}

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def has_begun(self) -> bool:
        """Whether it recorded anything: a run's target may never have been ready."""
        return self.journal.exists() or self.suite.exists()

    @property
    def is_bench(self) -> bool:
        """Whether ``harness bench`` made it. Raises :class:`HarnessError` if plan.json is missing or damaged."""
        plan = read_json(self.plan)
        return isinstance(plan, dict) and plan.get("kind") == "bench"

    @property
    def started_at(self) -> datetime:
        """When the run started, by its name; a renamed folder is as old as its plan."""
        return started_by_id(self.run_id) or datetime.fromtimestamp(self.plan.stat().st_mtime, UTC)

    @classmethod
    def create(cls, parent: Path, run_id: str) -> RunFolder:
        """Create the folder. Raises :class:`HarnessError` if that fails."""
        folder = cls(parent / run_id)
        try:
            folder.path.mkdir(parents=True)
        except OSError as error:
            raise HarnessError(
                "run-folder-not-made",
                where=str(folder.path),
                error=error.strerror or error,
                option=Option("out", "DIR"),
            ) from error
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run folder. Raises :class:`HarnessError` if ``path`` is not one."""
        if not path.is_dir():
            raise HarnessError("run-folder-not-found", where=str(path))
        folder = cls(path)
        if not folder.plan.is_file():
            raise HarnessError("not-a-run-folder", where=str(path), option=Option("out"))
        return folder


def find_run(name: str, parent: Path) -> RunFolder:
    """The run folder called ``name``: a path, a run-id below ``parent``, or ``latest``.

    Raises :class:`HarnessError` if there is none.
    """
    if name == "latest":
        # Hidden folders are being fetched or removed.
        runs = [RunFolder(plan.parent) for plan in sorted(parent.glob("[!.]*/plan.json"))]
        begun = [run for run in runs if run.has_begun]
        if not begun:
            raise HarnessError("no-run-yet", where=str(parent))
        return RunFolder.open(begun[-1].path)
    below = parent / name
    return RunFolder.open(below if below.is_dir() and not Path(name).is_dir() else Path(name))


def out_option(reports: Path) -> str:
    """What a command to copy needs to find runs in ``reports``: `` --out FOLDER``, or nothing for the default."""
    return "" if reports.resolve() == Path("reports").resolve() else f" {Option('out', reports)}"


@contextmanager
def marked_as_running(folder: RunFolder) -> Iterator[None]:
    """Mark the run as in progress until this block ends, or this process, however it ends.

    An error of the disk without a file, as of every write, gets the folder. Raises :class:`HarnessError` if the folder
    is gone.
    """
    path = folder.path / LOCK
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            yield
        except OSError as error:
            if not folder.path.is_dir():
                raise HarnessError("run-folder-gone", where=str(folder.path), exit_code=ExitCode.BROKEN) from error
            if error.errno in _DISK_ERRORS and error.filename is None:
                error.filename = str(folder.path)
            raise
        finally:
            path.unlink(missing_ok=True)


def require_writable(folder: RunFolder) -> None:
    """Raises :class:`HarnessError` if nothing can be written to the folder."""
    if not os.access(folder.path, os.W_OK):
        raise HarnessError("run-folder-read-only", where=str(folder.path))


def is_running(folder: RunFolder, *, in_doubt: bool = True) -> bool:
    """Whether a process of this machine, or of one that shares its files, is still making this run.

    Without the permission to ask, as for the run of another user, it is ``in_doubt``.
    """
    try:
        with (folder.path / LOCK).open("r+") as file:  # "r+": NFS gives an exclusive lock only to writers
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        return in_doubt
    return False


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: no reader ever sees half of it, nor does a crash leave half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:  # raised again: interrupts, too, must leave no half file behind
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a JSON value with :func:`write_text`. Lone surrogates, which user code can produce, become ``?``."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_text(path, text.encode("utf-8", "replace").decode("utf-8"))


def regular_file(path: Path) -> Path:
    """``path`` itself, which may not exist. Raises :class:`HarnessError` if it is a pipe, a device or a folder.

    Opening a pipe would wait forever.
    """
    if path.exists() and not path.is_file():
        raise HarnessError("not-a-file", where=str(path))
    return path


def read_json(path: Path) -> Any:
    """Read a JSON file of a run folder. Raises :class:`HarnessError` if it is missing or damaged, with the line."""
    try:
        content = regular_file(path).read_bytes()
    except FileNotFoundError as error:
        raise HarnessError("file-missing", where=str(path)) from error
    except OSError as error:
        raise HarnessError("run-file-unreadable", where=str(path), error=error) from error
    try:
        # Stricter than Python's reader: no NaN, lone surrogates or endless nesting, which would fail later and worse.
        return from_json(content, allow_inf_nan=False)
    except ValueError as error:
        found = _JSON_ERROR.fullmatch(str(error))
        what, line = (found[1], found[2]) if found else (str(error), "1")
        raise HarnessError("invalid-json", where=f"{path}:{line}", error=what) from error


def read_model(path: Path, model: type[Model], *, code: str = "file-damaged") -> Model:
    """Read a JSON file as ``model``. Raises :class:`HarnessError` as :func:`read_json`, and with the first bad key."""
    try:
        return model.model_validate(read_json(path))
    except ValidationError as error:
        raise not_of_the_format(path, error, code) from error


def not_of_the_format(path: Path, error: ValidationError, code: str = "file-damaged") -> HarnessError:
    """The error of a file with a wrong value: its first bad key."""
    return HarnessError(code, where=str(path), problem=first_problem(error))
