"""A defect in the target turns the verdict, or stands in the report at the right place, named by its function."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.record.profiles import read_folded
from tests.support.command import REPOSITORY, harness, latest_run

FLASH_SALE = REPOSITORY / "scenarios" / "flash_sale.py"
SHORT = ("--set", "phase.ramp.over=1s", "--set", "phase.steady.hold=3s", "--set", "phase.stress.every=1s")
PROFILE = """
[[phase]]
kind = "ramp"
users = 120
duration = "2s"

[[phase]]
kind = "steady"
users = 120
duration = "10s"

[[gate]]
require = "p95 < 50ms"
phase = "steady"
"""
"""What it takes to tell a cause: the scenario's first gate, and no more of its phases than that reads."""


def widths(folded: Path) -> Counter[str]:
    """How many samples each function was in, by its name alone."""
    counts: Counter[str] = Counter()
    for stack in read_folded(folded):
        for function in {frame.partition(" (")[0] for frame in stack.frames}:
            counts[function] += stack.weight
    return counts


@pytest.mark.alone
def test_a_slow_search_fails_the_gate_and_its_function_is_the_widest_new_frame(tmp_path: Path) -> None:
    (tmp_path / "cause.toml").write_text(PROFILE)
    run = ("run", FLASH_SALE, "--profile", "cause.toml", "--set", "sampling.memory=false")
    healthy = harness(*run, cwd=tmp_path)
    assert healthy.code == 0, healthy.err
    before = widths(latest_run(tmp_path) / "cpu" / "1-steady.folded")
    assert harness("baseline", "set", "latest", cwd=tmp_path).code == 0

    slow = harness(*run, "--json", cwd=tmp_path, env={"SHOP_DEFECTS": "slow_search"})
    assert slow.code == 1, slow.err
    summary = slow.json()
    assert summary["gates"][0]["status"] == "fail"
    after = widths(latest_run(tmp_path) / "cpu" / "1-steady.folded")
    new = Counter({function: count for function, count in after.items() if function not in before})
    assert "rank_by_edit_distance" in [function for function, _ in new.most_common(3)]
    assert "edit_distance" in summary["suspects"][0]["function"], summary["suspects"]


def test_an_oversell_breaks_the_scenarios_invariant(tmp_path: Path) -> None:
    result = harness(
        *("run", FLASH_SALE, *SHORT, "--set", "sampling.memory=false", "--json"),
        cwd=tmp_path,
        env={"SHOP_DEFECTS": "oversell"},
    )
    (verify,) = [gate for gate in result.json()["gates"] if gate["require"] == "verify"]
    assert verify["status"] == "fail"
    assert "the ledger does not balance" in verify["reason"]


def test_a_leak_is_the_widest_of_what_was_never_freed(tmp_path: Path) -> None:
    result = harness(
        *("run", FLASH_SALE, *SHORT, "--set", "phase.steady.hold=12s", "--json"),
        *("--set", "sampling.memory.duration=4s"),
        cwd=tmp_path,
        env={"SHOP_DEFECTS": "leak"},
    )
    summary = result.json()
    (leaked,) = (latest_run(tmp_path) / "memory").glob("*leaked.folded")
    assert "remember_response" in widths(leaked)
    own = Counter({stack.frames[-1]: 0 for stack in read_folded(leaked)})
    for stack in read_folded(leaked):
        own[next((f for f in reversed(stack.frames) if "harness/shop" in f), stack.frames[-1])] += stack.weight
    assert "remember_response" in own.most_common(1)[0][0]
    assert any("remember_response" in text for text in (*summary["warnings"], *summary["reasons"])), summary["warnings"]
