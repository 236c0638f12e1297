"""Each check of ``harness doctor`` has the right level, and a remedy."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from harness.targets import checks, health, machine
from tests.support.children import killed_at_end


@pytest.mark.parametrize(
    ("limits", "level", "code", "possible"),
    [
        ((100, 100), "fail", "files-hard-limit-low", None),
        ((1024, 524288), "warn", "files-limit-low", 65536),
        ((1024, 2048), "warn", "files-limit-low", 2048),
        ((65536, 65536), "ok", "files-limit", None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), "ok", "files-limit", None),
    ],
)
def test_open_files(limits: tuple[int, int], level: str, code: str, possible: int | None) -> None:
    result = checks.check_files(limits)
    assert (result.level, result.text.code, result.text.params.get("possible")) == (level, code, possible)
    assert (result.text.hint() is None) == (level == "ok")


def test_reports_that_cannot_be_written(tmp_path: Path) -> None:
    assert checks.check_folder(tmp_path / "new" / "reports").level == "ok"
    (tmp_path / "file").touch()
    result = checks.check_folder(tmp_path / "file")
    assert result.level == "fail"
    assert result.text.params["reason"] == "Not a directory"


def test_too_little_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_LITTLE_DISK_GIB", 2.0**40)
    assert checks.check_disk(tmp_path).level == "warn"
    monkeypatch.setattr(checks, "_TOO_LITTLE_DISK_GIB", 2.0**39)
    assert checks.check_disk(tmp_path).level == "fail"


def test_no_loopback_port_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_loopback().level == "ok"
    monkeypatch.setattr(health, "LOOPBACK", "192.0.2.1")  # an address that no machine has
    assert checks.check_loopback().level == "fail"


def test_a_governor_that_changes_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    governor = tmp_path / "scaling_governor"
    monkeypatch.setattr(machine, "_GOVERNOR", governor)
    levels = {}
    for name in ("powersave\n", "performance\n"):
        governor.write_text(name)
        levels[name] = {result.name: result for result in machine.quietness()}["CPU frequency"].level
    assert levels == {"powersave\n": "warn", "performance\n": "ok"}


@pytest.mark.parametrize(("quota", "level"), [("max 100000\n", "ok"), ("50000 100000\n", "warn"), ("damaged", "ok")])
def test_a_quota_of_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, level: str) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(machine, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert {result.name: result for result in machine.quietness()}["cores"].level == level


def test_other_load_is_what_processes_of_others_use_now() -> None:
    with subprocess.Popen(["sh", "-c", "yes >/dev/null & echo $!"], stdout=subprocess.PIPE, text=True) as starting:
        assert starting.stdout is not None
        orphan = int(starting.stdout.readline())
    try:
        with killed_at_end(subprocess.Popen(["sha1sum", "/dev/zero"])):  # the harness's own does not count
            (found,) = [result for result in machine.quietness() if result.name == "other load"]
    finally:
        os.kill(orphan, signal.SIGKILL)
    assert (found.level, found.text.code) == ("warn", "machine-busy")
    named = str(found.text.params["most"])
    assert ("yes" in named, "sha1sum" in named) == (True, False)


def test_other_load_counts_from_look_to_look_however_long_that_takes() -> None:
    before = {7: machine.Used("busy", 10.0, 100.0), 8: machine.Used("busy", 3.0, 100.5)}
    after = {
        7: machine.Used("busy", 11.0, 101.0),
        8: machine.Used("busy", 4.0, 102.5),
        9: machine.Used("new", 1.0, 101.0),
    }
    assert machine.cores_by_name(before, after) == {"busy": 1.5}


def test_a_single_core_other_load_and_stolen_time_are_doubts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(machine, "_MAX_OTHERS_CORES", -1.0)
    monkeypatch.setattr(machine, "_MAX_STEAL_PERCENT", -1.0)
    found = {result.name: result for result in machine.quietness()}
    assert found["cores"].text.code == "machine-one-core"
    assert {found[name].level for name in ("cores", "other load", "stolen time")} == {"warn"}
