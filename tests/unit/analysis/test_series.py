"""Series of the surroundings in a phase: their figures, how certain they are, and gates on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.comparison import compared
from harness.analysis.history import series_of
from harness.analysis.measurement import measure
from harness.analysis.series import PhaseSeries, interval_of
from harness.gates.judge import judge
from harness.metrics.series import SeriesFigure
from harness.plan.margins import Margins
from harness.plan.model.run import RunPlan
from harness.plan.model.sampling import MetricsSource
from harness.record.comparison import MeasuredRun
from harness.record.gate_result import GateResult
from harness.record.history import HistoryRun
from harness.record.measurement import Baseline, Interval, Measurement
from harness.record.metric_readings import METRIC_READINGS, MetricReading
from harness.record.run_folder import RunFolder, read_model, write_json, write_text
from harness.record.summary import Summary
from harness.recording import RunRecording, open_recording
from tests.support.plans import gate, ramp, steady
from tests.support.recordings import EPOCH_S, record_run
from tests.support.samples import wandering

SHOP = MetricsSource(name="shop", kind="prometheus", url="/metrics", ratios={"hit_ratio": "hits / (hits + misses)"})


def series(readings: list[MetricReading]) -> PhaseSeries:
    return PhaseSeries(readings, [SHOP], 1000.0, np.empty(0))


def counters(*totals: float, name: str = "orders_total") -> list[MetricReading]:
    return [MetricReading(1000.5 + at, "shop", counters={name: total}) for at, total in enumerate(totals)]


def figure(text: str, found: PhaseSeries) -> tuple[float, float, float | None] | None:
    interval = interval_of(SeriesFigure.parse(text), found)
    return None if interval is None else (interval.value, interval.low, interval.high)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('metric("in_use").max', 9.0),
        ('metric("in_use").min', 1.0),
        ('metric("shop.in_use").last', 4.0),
        ('metric("in_use").rate', None),
        ('metric("other").max', None),
        ('metric("db.in_use").max', None),
    ],
)
def test_extremes_of_a_gauge_are_what_was_observed(text: str, expected: float | None) -> None:
    found = series([MetricReading(1000.5 + at, "shop", {"in_use": value}) for at, value in enumerate((1.0, 9.0, 4.0))])
    assert figure(text, found) == (None if expected is None else (expected, expected, expected))


def test_the_rate_of_a_counter_is_exact() -> None:
    assert figure('metric("orders_total").rate', series(counters(100, 103, 109, 112))) == (4, 4, 4)
    assert figure('metric("orders_total").max', series(counters(100, 103))) is None
    assert figure('metric("orders_total").rate', series(counters(100))) is None


def test_a_counter_that_was_reset_lost_nothing_that_is_known() -> None:
    assert figure('metric("orders_total").rate', series(counters(100, 110, 3, 8))) == (6, 6, 6)


@pytest.mark.parametrize("read_at_s", [0.1, 0.4, 0.9])
def test_a_counter_grew_before_it_was_read(read_at_s: float) -> None:
    """All that was counted was in second 3, which is left out: before the reading at 4.1, or at 3.9."""
    totals = [0.0 if at + read_at_s < 3.5 else 90.0 for at in range(8)]
    readings = [MetricReading(1000 + at + read_at_s, "shop", {}, {"lost": total}) for at, total in enumerate(totals)]
    found = PhaseSeries(readings, [SHOP], 1000.0, np.array([3.0]))
    assert figure('metric("lost").rate', found) == (0, 0, 0)


def test_the_mean_of_a_histogram_is_its_sum_by_its_count() -> None:
    readings = [
        MetricReading(1000.5 + at, "shop", counters={"took_sum": total, "took_count": count})
        for at, (total, count) in enumerate([(0.0, 0.0), (1.0, 10.0), (4.0, 20.0), (4.0, 20.0), (10.0, 40.0)])
    ]
    found = figure('metric("took").mean', series(readings))
    assert found is not None
    value, low, high = found
    assert value == pytest.approx(0.25)
    assert high is not None
    assert low < 0.25 < high
    largest = figure('metric("took").max', series(readings))
    assert largest is not None
    assert largest[0] == pytest.approx(0.3)


def test_a_quotient_of_counters_is_one_of_their_sums() -> None:
    readings = [
        MetricReading(1000.5 + at, "shop", counters={"hits": 8.0 * at, "misses": 2.0 * at, "reads": 10.0 * at})
        for at in range(10)
    ]
    for text in ('metric("hits").rate / metric("reads").rate', 'metric("hit_ratio").mean', 'metric("hit_ratio").min'):
        found = figure(text, series(readings))
        assert found is not None
        assert found[0] == pytest.approx(0.8)
    assert figure('metric("hits").rate / metric("nothing").rate', series(readings)) is None
    assert figure('metric("hits").rate / metric("none").rate', series(counters(1, 1, 1, name="none"))) is None


def test_what_cannot_be_negative_has_no_negative_bound() -> None:
    misses = [0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    readings = [MetricReading(1000.5 + at, "shop", {"misses": value, "reads": 10.0}) for at, value in enumerate(misses)]
    for text in ('metric("misses").mean', 'metric("misses").mean / metric("reads").mean'):
        found = figure(text, series(readings))
        assert found is not None
        assert found[1] == 0


@pytest.mark.parametrize("seconds", [10, 30, 120])
def test_the_interval_of_a_mean_contains_the_true_value_as_often_as_stated(seconds: int) -> None:
    rng = np.random.default_rng(1)

    def mean_of(count: int) -> Interval:
        values = 10 * np.exp(wandering(rng, count, phi=0.5, spread=0.1))
        readings = [MetricReading(1000.5 + at, "shop", {"in_use": value}) for at, value in enumerate(values.tolist())]
        interval = interval_of(SeriesFigure("in_use", "mean"), series(readings))
        assert interval is not None
        return interval

    truth = mean_of(20_000).value
    found = [mean_of(seconds) for _ in range(200)]
    hits = sum(each.high is not None and each.low <= truth <= each.high for each in found)
    assert 0.88 <= hits / len(found) <= 0.99


def recorded(
    folder: Path, gates: list[str], in_use: Callable[[int], float] = lambda _: 5.0, run_id: str = "run"
) -> RunFolder:
    """A run of 5 s of ramp and 20 s of steady, with a gauge and a counter of 100/s."""
    run = record_run(folder, run_id=run_id, phases=[ramp(), steady()], gates=[gate(text, "steady") for text in gates])
    plan = read_model(run.plan, RunPlan)
    sampling = plan.sampling.model_copy(update={"metrics": (SHOP,)})
    write_text(run.plan, plan.model_copy(update={"sampling": sampling}).model_dump_json())
    writer = METRIC_READINGS.writer(run.metrics)
    for second in range(26):
        reading = MetricReading(EPOCH_S + second, "shop", {"in_use": in_use(second)}, {"orders": 100.0 * second})
        writer.write(reading)
    writer.close()
    return run


def judged(run: RunFolder) -> list[GateResult]:
    recording = open_recording(run)
    summary: Summary = judge(recording)
    return summary.gates


def test_a_gate_reads_a_series_in_its_phase(tmp_path: Path) -> None:
    run = recorded(
        tmp_path,
        [
            'metric("shop.in_use").max <= 8',
            'metric("in_use").mean < 8',
            'metric("orders").rate >= 100/s',
            'metric("orders").rate >= 101/s',
            'metric("in_us").max <= 8',
            'metric("orders").max <= 8',
            'metric("in_use").rate <= 8',
        ],
        in_use=lambda second: 5.0 if second > 5 else 20.0,  # the ramp's is not read
    )
    results = judged(run)
    assert [(result.status, result.observed) for result in results] == [
        ("pass", 5.0),
        ("pass", 5.0),
        ("pass", pytest.approx(100)),
        ("fail", pytest.approx(100)),
        ("inconclusive", None),
        ("inconclusive", None),
        ("inconclusive", None),
    ]
    assert [result.code for result in results[4:]] == [
        "gate-series-missing",
        "gate-series-is-counter",
        "gate-series-is-gauge",
    ]


def test_a_run_keeps_the_usual_figures_of_each_series(tmp_path: Path) -> None:
    recording = open_recording(recorded(tmp_path, []))
    assert isinstance(recording, RunRecording)
    figures = measure(recording).phases[-1].endpoints[""].figures
    assert {name: figures[name].value for name in figures if name.startswith("metric")} == {
        'metric("shop.in_use").mean': 5.0,
        'metric("shop.in_use").max': 5.0,
        'metric("shop.in_use").min': 5.0,
        'metric("shop.orders").rate': pytest.approx(100),
    }


@pytest.mark.parametrize(("grown", "status"), [(1.0, "pass"), (1.6, "fail")])
def test_a_gate_compares_a_series_with_the_baseline(tmp_path: Path, grown: float, status: str) -> None:
    gates = ['metric("shop.in_use").mean <= baseline + 20%']
    earlier = [
        measure(open_recording(recorded(tmp_path, gates, lambda second: 5.0 + second % 3 / 10, run_id=f"run-{number}")))
        for number in range(4)
    ]
    run = recorded(tmp_path, gates, lambda second: grown * (5.0 + second % 3 / 10))
    recording = open_recording(run)
    assert recording.environment is not None
    baseline = Baseline(
        scenario="flash_sale", profile="default", fingerprint=recording.environment.fingerprint, runs=earlier
    )
    write_json(run.comparison, baseline.model_dump())
    (result,) = judged(run)
    assert result.status == status
    assert result.baseline == pytest.approx(5.1, rel=0.01)


def test_a_series_that_a_gate_names_has_a_history_and_is_compared(tmp_path: Path) -> None:
    """It fell by half after four of eight runs, and decides nothing: its variation between runs is not known."""
    gates, name = ['metric("shop.in_use").mean >= 3'], 'metric("shop.in_use").mean'

    def measured(number: int) -> tuple[HistoryRun, Measurement]:
        in_use = (8.0 if number < 4 else 4.0) + number % 2 / 10
        run = measure(open_recording(recorded(tmp_path, gates, lambda _: in_use, run_id=f"run-{number}")))
        return HistoryRun(run_id=run.run_id, started_at=run.started_at, verdict="pass"), run

    runs = [measured(number) for number in range(8)]
    (course,) = [one for one in series_of(runs) if one.metric.startswith("metric")]
    assert (course.metric, [step.meaning for step in course.steps]) == (name, ["worse"])
    *_, asked = series_of(runs[:1], metrics=['metric("shop.orders").rate'])
    assert asked.phase == "steady"
    assert asked.values == [pytest.approx(100)]

    builds = [MeasuredRun(run) for _, run in runs]
    comparison = compared(builds[:4], builds[4:], Margins())
    (figure,) = [one for one in comparison.figures if one.metric.startswith("metric")]
    assert (figure.metric, figure.better, figure.outcome, figure.decides) == (name, "higher", "worse", False)
    assert comparison.verdict != "worse"
