"""Reports of real run folders say what a run lacks, and no text from a target becomes markup."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.errors import HarnessError
from harness.messages import message
from harness.record.profiles import ProfileIndex
from harness.record.run_folder import RunFolder
from harness.report import write_reports
from tests.support.plans import pause, ramp, steady, stress
from tests.support.recordings import Profiles, record_run
from tests.support.reported import draw, rich_run, shop_stacks


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return rich_run(tmp_path_factory.mktemp("rich"))


def page_of(folder: RunFolder) -> str:
    return folder.report.read_text(encoding="utf-8")


def text_of(folder: RunFolder) -> str:
    """The page as a reader without JavaScript sees it: tags, styles and scripts gone, white space as one space."""
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", page_of(folder), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("\u00a0", " ").split())


def island(folder: RunFolder, name: str) -> Any:
    found = re.search(rf'id="{name}">([^<]*)<', page_of(folder))
    assert found is not None
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


def test_one_file_of_moderate_size_without_a_reference_outside(rich: RunFolder) -> None:
    page = re.sub(r'id="plotly-source">[^<]*', "", page_of(rich))
    assert rich.report.stat().st_size < 6_000_000
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:|[a-z_]+(?:\.[a-z]+)?["'])[^"']*""", page)
    assert "@import" not in page


def test_verdict_and_gates_come_before_all_else(rich: RunFolder) -> None:
    page = page_of(rich)
    order = [
        "verdict",
        "causes",
        "gates",
        "suspects",
        "phases",
        "scalability",
        "charts",
        "response-times",
        "endpoints",
        "endpoint-section",
        "errors",
        "flames",
    ]
    assert re.findall(r'<section id="([\w-]+)"', page) == [*order, "baseline", "about"]


def test_it_shows_the_figures_of_the_summary(rich: RunFolder) -> None:
    summary = json.loads(rich.summary.read_text(encoding="utf-8"))
    text = text_of(rich)
    assert f"Requests {summary['totals']['requests']:,}" in text
    for gate in summary["gates"]:
        assert gate["require"].replace("<", "&lt;") in text
    assert "slow_search shop/defects.py:42" in text
    assert 'data-held="20.0"' in page_of(rich)
    assert "service" in text
    assert "a worker took 0.4 s to answer" in text


def test_the_charts_count_every_request(rich: RunFolder) -> None:
    data = island(rich, "charts-data")
    totals = json.loads(rich.summary.read_text(encoding="utf-8"))["totals"]
    everything = data["endpoints"][0]
    assert sum(everything["completed"]) == totals["requests"]
    assert sum(everything["failed"]) == totals["failures"] == sum(data["errors"]["cells"][3::4])
    assert sum(everything["heat"][2::3]) == totals["requests"]
    assert sum(everything["started"]) == pytest.approx(totals["requests"], rel=1e-3)
    apart = [sum(endpoint["completed"]) for endpoint in data["endpoints"][1:]]
    assert sum(apart) == totals["requests"]
    phases = [sum(everything["distributions"][str(index)]["ranges"]) for index in range(4)]
    assert sum(phases) == totals["requests"]
    assert sum(everything["distributions"]["measured"]["ranges"]) == sum(phases[:3])


def test_hostile_texts_are_only_text(rich: RunFolder) -> None:
    page = page_of(rich)
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "\x00" not in page
    assert "\x1b" not in page
    assert "alert(1)" in page
    assert "\x1b" not in (rich.path / "summary.md").read_text(encoding="utf-8")
    assert "<img" not in (rich.path / "summary.md").read_text(encoding="utf-8")
    ElementTree.parse(rich.path / "junit.xml")


def test_the_flame_graphs_hold_both_sides(rich: RunFolder) -> None:
    flames = island(rich, "flames-data")
    assert [(flame["kind"], flame["phase"], "base" in flame) for flame in flames] == [
        ("cpu", "ramp", False),
        ("cpu", "steady", True),
        ("cpu", "stress", False),
        ("memory-leaked", "diagnose", False),
    ]


def test_the_same_folder_gives_the_same_report(rich: RunFolder) -> None:
    before = page_of(rich)
    write_reports(rich)
    assert page_of(rich) == before


def test_a_run_without_profiles_says_why(tmp_path: Path) -> None:
    note = "py-spy may not trace the target: `sudo sysctl kernel.yama.ptrace_scope=0`"
    folder = draw(record_run(tmp_path, phases=[steady(5, 4)], profiles=Profiles(notes=[note])))
    text = text_of(folder)
    assert "py-spy may not trace the target: sudo sysctl kernel.yama.ptrace_scope=0" in text
    assert re.findall(r'data-empty="(\w+)"', page_of(folder)) == ["CPU", "memory"]
    assert f"harness baseline set {folder.run_id}" in text
    assert 'id="baseline-table"' not in page_of(folder)


def test_each_profile_that_is_missing_says_once_why(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(5, 4)])
    index = ProfileIndex.load(folder.profiles)
    index.notes = [message("memory-target-ended"), message("cpu-target-ended", phase="steady")]
    index.save(folder.profiles)
    _, _, shown = page_of(draw(folder)).partition('<section id="flames">')
    cpu, _, memory = shown.partition("<h3>Memory</h3>")
    texts = [str(note) for note in index.notes]
    assert [part.count(text) for text in texts for part in (cpu, memory)] == [0, 1, 1, 0]


def test_memory_of_an_attached_target_is_not_recorded(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(5, 4)])
    plan = json.loads(folder.plan.read_text(encoding="utf-8"))
    plan["target"] = {"kind": "attached", "url": "http://127.0.0.1:80"}
    folder.plan.write_text(json.dumps(plan), encoding="utf-8")
    empty = re.findall(r'data-empty="(\w+)"><b>[^<]*</b>\s*([^<]+?)\s*</div>', page_of(draw(folder)))
    assert [kind for kind, _ in empty] == ["CPU", "memory"]
    assert empty[0][1] != empty[1][1]  # memory for another reason: only a target that the harness starts is profiled


def test_there_is_a_baseline_column_only_if_a_gate_reads_a_baseline(rich: RunFolder, tmp_path: Path) -> None:
    column = 'data-label="Baseline"'
    assert column in page_of(rich)
    assert column not in page_of(draw(record_run(tmp_path, phases=[steady(5, 4)], gates=["p95 < 500ms"])))


@pytest.mark.parametrize(("until", "judged"), [("p95 > 1ms", "broke"), (None, "unknown")])
def test_steps_that_broke_differ_from_steps_that_nothing_judged(tmp_path: Path, until: str | None, judged: str) -> None:
    folder = draw(record_run(tmp_path, phases=[stress((20, 40), every=3, until=until)]))
    assert re.findall(r'<tr data-step="(\w+)"', page_of(folder))[0] == judged


def test_a_suspect_is_shown_with_its_callers(rich: RunFolder) -> None:
    callers = json.loads(rich.summary.read_text(encoding="utf-8"))["suspects"][0]["callers"]
    assert callers
    assert f"called by {' ← '.join(callers)}" in text_of(rich)


def test_a_profile_whose_file_is_gone_is_named(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(5, 4)], profiles=Profiles(cpu={"steady": shop_stacks(5)}))
    next(folder.cpu.iterdir()).unlink()
    assert re.search(r'data-empty="CPU"[^/]*</b>[^<]*cpu/0-steady\.folded', page_of(draw(folder)))


def test_a_run_of_two_seconds(tmp_path: Path) -> None:
    assert (
        len(island(draw(record_run(tmp_path, phases=[steady(5, 2)])), "charts-data")["endpoints"][0]["completed"]) <= 3
    )


def test_a_run_without_a_request_draws_no_charts(tmp_path: Path) -> None:
    folder = draw(record_run(tmp_path, phases=[pause(3)], gates=["p95 < 100ms"]))
    page = page_of(folder)
    assert "data-chart=" not in page
    for section in ("charts", "endpoints", "errors"):
        assert re.search(rf'<section id="{section}">\s*<h2>[\w ]+</h2>\s*<p class="empty">', page)


def test_an_interrupted_run_says_so(tmp_path: Path) -> None:
    folder = draw(record_run(tmp_path, phases=[ramp(5, 3), steady(5, 20)], stop_at_s=8.0, end_reason="interrupted"))
    assert '<span id="ending">interrupted</span>' in page_of(folder)
    assert '<tr class="remark">' in page_of(folder)


def test_a_killed_run_says_so(tmp_path: Path) -> None:
    folder = draw(record_run(tmp_path, phases=[ramp(5, 3), steady(5, 20)], stop_at_s=8.0, end_reason=None))
    assert '<span id="ending">' in page_of(folder)


def test_a_run_that_is_not_judged_differs_from_a_damaged_one(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(5, 2)])
    with pytest.raises(HarnessError) as missing:
        write_reports(folder)
    assert (missing.value.code, missing.value.where) == ("file-missing", str(folder.summary))
    folder.summary.write_text('{"run_id": "r"}', encoding="utf-8")
    with pytest.raises(HarnessError) as damaged:
        write_reports(folder)
    assert (damaged.value.code, damaged.value.where) == ("summary-damaged", str(folder.summary))
    assert "scenario" in str(damaged.value.params["problem"])
    assert "harness gate" in (damaged.value.hint or "")
