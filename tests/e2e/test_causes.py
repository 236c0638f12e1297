"""The report names a defect in the target by its function, in the right place.

(One that gates fail on: ``test_main_job``, beside the sound run that it is compared with.)
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.record.profiles import read_folded
from tests.support.command import REPOSITORY, latest_run
from tests.support.in_process import harness

FLASH_SALE = REPOSITORY / "scenarios" / "flash_sale.py"
PROFILE = """
[[phase]]
kind = "ramp"
users = 60
duration = "1s"

[[phase]]
kind = "steady"
users = 60
duration = "15s"  # a leak needs ten readings, and a busy machine may miss some

[target]
environment = {SHOP_DEFECTS = "leak,oversell"}

[sampling]
cpu = false
memory = {duration = "3s"}
"""


@pytest.mark.slow
def test_each_of_two_defects_is_a_suspect_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "causes.toml").write_text(PROFILE)
    summary = harness("run", FLASH_SALE, "--profile", "causes.toml", "--json", cwd=tmp_path).json

    # An oversell breaks the scenario's invariant.
    (verify,) = [gate for gate in summary["gates"] if gate["require"] == 'verify("no oversell")']
    assert verify["status"] == "fail"
    assert " sold" in verify["reason"]

    # A leak is the widest of what was never freed.
    (leaked,) = (latest_run(tmp_path) / "memory").glob("*leaked.folded")
    stacks = list(read_folded(leaked))
    assert any("remember_response" in frame for stack in stacks for frame in stack.frames)
    own = Counter({stack.frames[-1]: 0 for stack in stacks})
    for stack in stacks:
        own[next((f for f in reversed(stack.frames) if "harness/shop" in f), stack.frames[-1])] += stack.weight
    assert "remember_response" in own.most_common(1)[0][0]
    (leak,) = summary["leaks"]
    assert leak["function"] == "remember_response"
    assert leak["file"] == "harness/shop/defective.py"
    assert leak["line"]
