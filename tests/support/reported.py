"""Run folders that are recorded, compared, judged and drawn, for tests of reports."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.analysis.measurement import measure
from harness.record.measurement import Baseline
from harness.record.profiles import Stack
from harness.record.run_folder import RunFolder, write_text
from harness.recording import open_recording
from harness.report import write_reports
from tests.support.judged import judge
from tests.support.plans import diagnose, ramp, steady, stress
from tests.support.recordings import Failing, Profiles, record_run

HOSTILE = "GET /</script><script>alert(1)</script>|`x`\x00\x1b[31mred\x1b[0m%{y}"
HOSTILE_FAILURE = "</script><img src=x onerror=alert(2)>\n| \x1b[31ma\x00 `b` <b>"

_SERVE = ("main (shop/__main__.py:12)", "run (uvicorn/server.py:60)")


def shop_stacks(search: int) -> list[Stack]:
    """A CPU profile in which ``slow_search`` was on top of the stack ``search`` times, of 800 others."""
    return [
        Stack((*_SERVE, "list_products (shop/app.py:80)", "execute (sqlalchemy/base.py:1400)"), 420),
        Stack((*_SERVE, "list_products (shop/app.py:84)", "serialize (shop/app.py:30)"), 260),
        Stack((*_SERVE, "search (shop/app.py:101)", "slow_search (shop/defects.py:42)"), search),
        Stack(_SERVE, 120),
    ]


def draw(folder: RunFolder, baseline: Sequence[RunFolder] = ()) -> RunFolder:
    """Judge and draw ``folder`` as the controller does, against the runs in ``baseline`` where there are any."""
    if baseline:
        runs = [measure(open_recording(kept)) for kept in baseline]
        known = Baseline(scenario="flash_sale", profile="default", fingerprint="f1e2d3c4", runs=runs)
        write_text(folder.comparison, known.model_dump_json(by_alias=True))
    write_text(folder.summary, judge(folder).to_json())
    write_reports(folder)
    return folder


def rich_run(parent: Path) -> RunFolder:
    """A run that has something of everything, hostile texts too; judged against a baseline that was faster."""
    options: dict[str, Any] = {
        "phases": [
            ramp(users=20, seconds=4),
            steady(rate=60, seconds=16),
            stress((20, 40, 60), every=3),
            diagnose(10, 3),
        ],
        "gates": ["p95 < 500ms", "error_rate < 1%", "p50 <= baseline + 10%"],
        "endpoints": {"GET /products": 0.6, "POST /checkout": 0.3, HOSTILE: 0.1},
        "held_steps": 1,
    }
    before = record_run(
        parent,
        run_id="20260201T000000Z-flash_sale-default-0001",
        profiles=Profiles(cpu={"steady": shop_stacks(20)}),
        **options,
    )
    folder = record_run(
        parent,
        seed=3,
        start_delay=lambda rng, at, _: rng.exponential(30.0, len(at)),
        failures=[Failing(0.03, endpoint="POST /checkout"), Failing(0.2, HOSTILE_FAILURE, endpoint=HOSTILE)],
        profiles=Profiles(
            cpu={"ramp": shop_stacks(150), "steady": shop_stacks(900), "stress": shop_stacks(2000)},
            leaked=[Stack((*_SERVE, "remember (shop/defects.py:70)"), 5_000_000), Stack(_SERVE, 1_000_000)],
        ),
        events=[(6.0, "note", "a worker took 0.4 s to answer")],
        **options,
    )
    draw(folder, [before])
    shutil.rmtree(before.path)
    return folder
