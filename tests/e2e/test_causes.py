"""A defect in the target stands in the report at the right place, named by its function.

(One that gates fail on: ``test_main_job``, beside the sound run that it is compared with.)
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.record.profiles import read_folded
from tests.support.command import REPOSITORY, harness, latest_run

FLASH_SALE = REPOSITORY / "scenarios" / "flash_sale.py"
PROFILE = """
[[phase]]
kind = "ramp"
users = 100
duration = "1s"

[[phase]]
kind = "steady"
users = 100
duration = "11s"

[sampling]
cpu = false
memory = {duration = "4s"}
"""


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Folder and summary of a run on a shop with two defects, each of which shows at a place of its own."""
    cwd = tmp_path_factory.mktemp("spoilt")
    (cwd / "causes.toml").write_text(PROFILE)
    run = ("run", FLASH_SALE, "--profile", "causes.toml", "--json")
    result = harness(*run, cwd=cwd, env={"SHOP_DEFECTS": "leak,oversell"})
    return latest_run(cwd), result.json()


def test_an_oversell_breaks_the_scenarios_invariant(spoilt: tuple[Path, dict[str, Any]]) -> None:
    _, summary = spoilt
    (verify,) = [gate for gate in summary["gates"] if gate["require"] == "verify"]
    assert verify["status"] == "fail"
    assert "the ledger does not balance" in verify["reason"]


def test_a_leak_is_the_widest_of_what_was_never_freed(spoilt: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = spoilt
    (leaked,) = (folder / "memory").glob("*leaked.folded")
    stacks = list(read_folded(leaked))
    assert any("remember_response" in frame for stack in stacks for frame in stack.frames)
    own = Counter({stack.frames[-1]: 0 for stack in stacks})
    for stack in stacks:
        own[next((f for f in reversed(stack.frames) if "harness/shop" in f), stack.frames[-1])] += stack.weight
    assert "remember_response" in own.most_common(1)[0][0]
    assert any("remember_response" in text for text in (*summary["warnings"], *summary["reasons"])), summary["warnings"]
