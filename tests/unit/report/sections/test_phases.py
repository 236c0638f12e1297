"""What the phases table shows beside all requests, and what a stress phase found."""

from __future__ import annotations

from typing import Any

import pytest

from harness.record.figures import Latency
from harness.record.phase_summary import PhaseSummary, StepFigures
from harness.report.blocks import Items
from harness.report.sections.phases import Phases, latency_rows, level_held, remarks
from tests.support.summaries import a_summary


def a_phase(**more: Any) -> PhaseSummary:
    given = {"index": 0, "name": "stress", "kind": "stress", "model": "closed", "start_s": 0, "end_s": 9}
    return PhaseSummary(**{**given, **more})


@pytest.mark.parametrize(
    ("model", "successful_p95", "rows"),
    [
        ("closed", 101.0, ["response"]),
        ("closed", 110.0, ["response", "successful"]),
        ("open", 110.0, ["response", "service", "successful"]),
    ],
)
def test_successful_requests_have_a_row_only_if_a_reader_sees_a_difference(
    model: str, successful_p95: float, rows: list[str]
) -> None:
    phase = a_phase(
        model=model, failures=1, response_ms=Latency(p95=100.0), ok_response_ms=Latency(p95=successful_p95, p99=1.0)
    )
    assert [title for title, _ in latency_rows(phase)] == rows


HELD, BROKE = StepFigures(level=20, held=True), StepFigures(level=30, held=False)


@pytest.mark.parametrize(
    ("phase", "figures"),
    [
        (a_phase(held=20, steps=[HELD]), ["held 20 users"]),
        (a_phase(held=1, steps=[HELD]), ["held 1 user;"]),
        (
            a_phase(held=20, cut_short="it ran 4 s of 9 s", model="open"),
            ["20 arrivals/s", "(it ran 4 s of 9 s)"],
        ),
        (a_phase(steps=[BROKE]), ["did not hold 30 users"]),
        (a_phase(held=20, steps=[HELD, BROKE]), ["held 20 users", "did not hold 30"]),
    ],
)
def test_a_stress_phase_says_which_level_it_held(phase: PhaseSummary, figures: list[str]) -> None:
    (found,) = level_held(phase)
    assert all(figure in found for figure in figures)


def test_a_phase_without_steps_does_not_mention_levels() -> None:
    assert not level_held(a_phase(kind="steady", name="hold"))
    assert not level_held(a_phase(steps=[StepFigures(level=20)]))


@pytest.mark.parametrize("what", ["generator_limited", "generator_strained", "dropped"])
def test_what_distorts_the_figures_of_a_phase_is_shown_beside_them(what: str) -> None:
    summary = a_summary(
        phases=[a_phase(name="calm"), a_phase(name="hold", **{what: 7 if what == "dropped" else "why"})]
    )
    *_, items = Phases().text(summary)
    assert isinstance(items, Items)
    assert [item.text.partition(":")[0] for item in items.items] == ["hold"]
    assert set(remarks(summary.phases[1]).values()) == {"" if what == "dropped" else "why"}
