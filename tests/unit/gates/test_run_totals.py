"""What an observer shows adds up to what the journal holds, however the journal came in."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.gates.run_totals import KEPT_S, RunTotals, arrivals, goal_at
from harness.messages import Message
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram
from harness.record.journal import Journal, read_journal
from harness.record.journal_entries import Endpoint
from harness.record.second_table import SecondTable
from tests.support.endpoint_seconds import table_of
from tests.support.latencies import lognormal
from tests.support.plans import gate, steady, stress
from tests.support.recordings import EPOCH_S, Failing, WorkerState, record_run
from tests.support.replay import plan_in, replay


class _Follow:
    """An observer that only adds up."""

    totals: RunTotals

    def notify(self, message: Message) -> None:
        """Nothing is shown."""

    def load_begins(self, plan: object, folder: object, target: str) -> None:
        """The tally is made by the test."""

    def update(self, journal: Journal) -> None:
        self.totals.update(journal)

    def load_ended(self) -> None:
        """Nothing is left to do."""


def followed(folder: Path, **recording: object) -> tuple[RunTotals, Journal]:
    """A tally that has followed a recorded run from its first frame to its last."""
    run = record_run(folder, **recording)  # type: ignore[arg-type]  # passed on as they are
    observer = _Follow()
    observer.totals = RunTotals(plan_in(run))
    return observer.totals, replay(run, observer)


def requests_of(totals: RunTotals) -> int:
    """Of the whole run."""
    phases = [totals.total(phase) for phase in totals.spans]
    return sum(phase.requests for phase in phases if phase is not None)


def series_of(journal: Journal, phase: int) -> list[EndpointSecond]:
    return [series for second in journal.seconds for series in second.endpoint_seconds if series.phase == phase]


def test_totals_are_those_of_the_journal(tmp_path: Path) -> None:
    totals, journal = followed(
        tmp_path,
        phases=[steady(20, 4), steady(rate=60, seconds=4, name="open")],
        start_delay=lognormal(5),
        failures=[Failing(0.1, "HTTP 500", "POST /checkout")],
    )
    for phase in (0, 1):
        every, total, service = series_of(journal, phase), totals.total(phase), totals.service(phase)
        assert total is not None
        assert service is not None
        assert total.requests == sum(series.requests for series in every) > 0
        assert total.failures == sum(series.failures for series in every)
        for mine, theirs in (
            (total.response, Histogram.merged([series.response for series in every])),
            (service.response, Histogram.merged([series.service for series in every])),
        ):
            assert [mine.quantile_us(q) for q in (0.5, 0.95, 1.0)] == [theirs.quantile_us(q) for q in (0.5, 0.95, 1.0)]
    assert total is not None
    assert service is not None
    response_ms, service_ms = total.quantile(0.5), service.quantile(0.5)
    assert response_ms is not None
    assert service_ms is not None
    assert response_ms > service_ms
    assert totals.failures == {
        (Endpoint("POST", "/checkout"), "HTTP 500"): sum(count.count for count in journal.failures)
    }
    assert totals.epoch_s == EPOCH_S
    assert totals.ended


def test_a_journal_read_at_once_gives_what_following_it_gave(tmp_path: Path) -> None:
    totals, journal = followed(tmp_path, phases=[steady(5, KEPT_S + 30)])
    at_once = RunTotals(totals.plan)
    assert at_once.update(journal)
    assert not at_once.update(journal)
    assert requests_of(at_once) == requests_of(totals)
    assert list(at_once.seconds) == list(totals.seconds)
    assert len(totals.seconds) == KEPT_S
    assert next(reversed(totals.seconds)) == journal.seconds[-1].second


def test_the_endpoints_are_those_of_the_phase_that_runs(tmp_path: Path) -> None:
    totals, journal = followed(tmp_path, phases=[steady(20, 3), steady(20, 3, name="next")])
    counted = sum(total.requests for total in totals.endpoints.values())
    assert counted == sum(series.requests for series in series_of(journal, 1))


def test_what_a_worker_reports_late_is_added_once(tmp_path: Path) -> None:
    run = record_run(tmp_path, phases=[steady(20, 4)])
    journal = read_journal(run.journal)
    totals = RunTotals(plan_in(run))
    totals.update(journal)
    before = requests_of(totals), totals.seconds[2].all.requests
    late = series_of(journal, 0)[0]
    tables = {"series": table_of(2, [late]).to_wire(), "lateness": SecondTable.empty().to_wire()}
    journal.add({"kind": "second", "second": 2, "users": 3, "workers": [], **tables})
    assert totals.update(journal)
    assert not totals.update(journal)
    assert (requests_of(totals), totals.seconds[2].all.requests) == (
        before[0] + late.requests,
        before[1] + late.requests,
    )
    assert list(totals.seconds) == sorted(totals.seconds)


def test_the_window_of_a_phase_holds_only_that_phase(tmp_path: Path) -> None:
    totals, journal = followed(tmp_path, phases=[steady(60, 6), steady(10, 3, name="next")])
    first, second = journal.phases
    of_second = totals.last(10, phase=second)
    assert of_second.length_s == pytest.approx(3)
    assert of_second.rate == pytest.approx(40, rel=0.4)
    assert of_second.response.count == of_second.requests
    assert totals.last(10, phase=first).rate == pytest.approx(240, rel=0.4)
    both = totals.last(100)
    assert both.requests == requests_of(totals)


def test_before_the_first_second_there_is_nothing(tmp_path: Path) -> None:
    totals = RunTotals(plan_in(record_run(tmp_path, phases=[steady(1, 1)])))
    assert totals.current is None
    assert totals.latest() is None
    assert totals.last(5).rate == 0
    assert totals.last(5).quantile(0.95) is None
    assert arrivals(totals.recent(3)) == 0


def test_the_goal_is_that_of_the_step_which_runs(tmp_path: Path) -> None:
    totals, journal = followed(tmp_path, phases=[stress((10, 20, 30), 2)], worker=lambda _: WorkerState(waiting=7))
    (span,) = journal.phases
    phase = totals.phase(span)
    assert [goal_at(phase, span, at_s) for at_s in (0, 1, 3, 5, 99)] == [10, 10, 20, 30, 30]
    assert goal_at(phase.model_copy(update={"segments": ()}), span, 1) is None
    moment = totals.latest()
    assert moment is not None
    assert moment.waiting == 7


def test_a_gated_endpoint_of_an_earlier_phase_is_kept(tmp_path: Path) -> None:
    gates = [gate("p95 < 500ms", "steady", "POST /checkout")]
    totals, journal = followed(tmp_path, phases=[steady(20, 3), steady(20, 3, name="next")], gates=gates)
    kept, dropped = totals.total(0, "POST /checkout"), totals.total(0, "GET /products")
    (number,) = [number for number, endpoint in journal.endpoints.items() if str(endpoint) == "POST /checkout"]
    counted = [series.requests for series in series_of(journal, 0) if series.endpoint == number]
    assert kept is not None
    assert kept.requests == sum(counted) == sum(totals.by_second(0, "POST /checkout").values()) > 0
    assert dropped is None
