"""``harness`` as a user types it: a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.record.journal import JournalFollower
from tests.support.children import dying_with_the_tests, killed_at_end, wait_until

REPOSITORY = Path(__file__).parents[2]
LONGEST_S = 150.0


@dataclass(frozen=True)
class Result:
    """How a command ended: exit code, and what it wrote where."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def start(
    *arguments: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    group: bool = False,
) -> subprocess.Popen[str]:
    """Start ``harness ARGUMENTS``; ``group`` gives it a process group of its own, as a shell does."""
    settings = {
        name: value for name, value in os.environ.items() if not name.startswith(("SHOP_", "HARNESS_", "GITHUB_"))
    }
    return subprocess.Popen(
        dying_with_the_tests([sys.executable, "-m", "harness", *map(str, arguments)]),
        cwd=cwd,
        env=settings | dict(env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0 if group else None,
    )


def finish(process: subprocess.Popen[str]) -> Result:
    """Wait for its end; kills it, and fails the test, where that does not come."""
    with killed_at_end(process):
        try:
            out, err = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired as late:  # with bytes, although the process has text
            err = (late.stderr or b"").decode(errors="replace")
            raise AssertionError(f"harness did not end within {LONGEST_S:g} s:\n{err}") from None
    return Result(process.returncode, out, err)


def harness(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Result:
    """Run ``harness ARGUMENTS`` to its end. Whatever it does, it must not show a traceback."""
    result = finish(start(*arguments, cwd=cwd, env=env))
    assert "Traceback" not in result.err, result.err
    return result


def wait_until_recorded(cwd: Path, seconds: int) -> JournalFollower:
    """The journal of the only run made in or below ``cwd``, once it has this many seconds."""
    path = wait_until(lambda: next(cwd.glob("**/journal"), None), what="the load's begin")
    assert path is not None
    follower = JournalFollower(path)

    def grown() -> bool:
        follower.poll()
        return len(follower.journal.seconds) >= seconds

    wait_until(grown, what=f"second {seconds}")
    return follower


def latest_run(cwd: Path) -> Path:
    """The folder of the newest run made in ``cwd``."""
    return sorted(plan.parent for plan in (cwd / "reports").glob("*/plan.json"))[-1]
