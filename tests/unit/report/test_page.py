"""Pieces of the page: JSON that cannot end its script, prose with code in it, the command to run again."""

from __future__ import annotations

import json

import pytest

from harness.plan.model import AttachedTarget, CommandTarget, ShopTarget, Target
from harness.record.summary import Latency, PhaseSummary
from harness.report.page import command_line, differs, json_island, main_phase, prose
from tests.support.recordings import make_plan, steady
from tests.support.summaries import a_summary


def test_a_json_island_holds_nothing_that_could_end_it() -> None:
    value = {"</script><!--": ["&", "\u2028", "\ud800"]}
    text = json_island(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_prose_sets_commands_as_code_and_escapes_the_rest() -> None:
    assert prose("type `a <b>` & go") == "type <code>a &lt;b&gt;</code> &amp; go"
    assert prose("one ` alone <i>") == "one ` alone &lt;i&gt;"


@pytest.mark.parametrize(
    ("target", "options"),
    [
        (ShopTarget(), ""),
        (CommandTarget(command="serve --port {port}"), " --target 'serve --port {port}' --ready /health"),
        (AttachedTarget(url="http://127.0.0.1:80", pid=7), " --host http://127.0.0.1:80 --pid 7"),
        (AttachedTarget(url="http://127.0.0.1:80"), " --host http://127.0.0.1:80"),
    ],
)
def test_the_command_runs_the_same_again(target: Target, options: str) -> None:
    plan = make_plan([steady()], profile="load").model_copy(update={"target": target, "overrides": ("a.b=1 s",)})
    expected = f"harness run {plan.scenario.path} --profile load --set 'a.b=1 s' --workers 1 --seed 0{options}"
    assert command_line(plan) == expected


def test_the_default_profile_is_not_named() -> None:
    assert "--profile" not in command_line(make_plan([steady()]))


def phase(name: str, kind: str, *, measured: bool = True) -> PhaseSummary:
    return PhaseSummary(index=0, name=name, kind=kind, model="closed", measured=measured, start_s=0, end_s=1)


@pytest.mark.parametrize(
    ("phases", "main"),
    [
        ([], None),
        ([phase("d", "diagnose", measured=False)], "d"),
        ([phase("p", "pause", measured=False), phase("r", "ramp")], "r"),
        ([phase("r", "ramp"), phase("s", "steady")], "s"),
    ],
)
def test_the_steady_phase_is_shown_first(phases: list[PhaseSummary], main: str | None) -> None:
    assert main_phase(a_summary(phases=phases)) == main


def test_times_that_a_reader_could_not_tell_apart_do_not_differ() -> None:
    assert not differs(Latency(p95=100.0, p99=None), Latency(p95=101.0, p99=1.0))
    assert differs(Latency(p95=100.0), Latency(p95=110.0))
