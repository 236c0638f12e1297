"""Compares two builds, each measured by one or more runs, figure by figure, and gives a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from harness.analysis.compared_figure import Figure
from harness.analysis.equal_speed import at_equal_speed
from harness.analysis.equivalence import stand_together
from harness.analysis.phase_pairs import PhasePair, Runs, pair_phases
from harness.messages import Message, message
from harness.metrics import BENCH_METRICS, RUN_METRICS, run_metric
from harness.metrics.formatting import title
from harness.metrics.metric import Metric
from harness.plan.bench import name_of
from harness.plan.margins import Margins
from harness.record.calibration import Calibration
from harness.record.comparison import ComparedFigure, Comparison, Outcome
from harness.record.measurement import ALL
from harness.record.notice import Notice

_MOST_REASONS = 5


def compared(a: Runs, b: Runs, margins: Margins, calibration: Calibration | None = None) -> Comparison:
    """How build B differs from build A, each measured by at least one run.

    ``calibration`` is that of the machine that made them all.
    Raises :class:`HarnessError` if the runs have nothing to compare.
    """
    pairing = pair_phases(a, b)
    is_bench = b[0].is_bench
    same_machine = len({run.fingerprint for run in (*a, *b)}) == 1
    declared: Mapping[str, Metric[Any]] = BENCH_METRICS if is_bench else RUN_METRICS
    found = [figure for pair in pairing.pairs for figure in _figures(pair, declared, calibration, same_machine)]
    judged = partial(_judged, is_bench=is_bench, margins=margins)
    figures = judged([figure for figure in found if figure.metric.name in declared])
    unknown = [pair.name for pair in pairing.pairs if not all(pair.clean)]
    verdict = _verdict(figures, unknown)
    return Comparison(
        kind="bench" if is_bench else "run",
        verdict=verdict,
        reasons=[Notice.of(reason) for reason in _reasons(figures, verdict, unknown)],
        remarks=[Notice.of(remark) for remark in pairing.remarks],
        a=[run.in_short() for run in a],
        b=[run.in_short() for run in b],
        # How much these figures vary from run to run is not known, so they do not affect the verdict.
        figures=[*figures, *judged([figure for figure in found if figure.metric.name not in declared], decide=False)],
    )


def _judged(found: Sequence[Figure], *, is_bench: bool, margins: Margins, decide: bool = True) -> list[ComparedFigure]:
    """What each of ``found`` means beside the others; ``decide``: whether any of them decides."""
    chances = [figure.chances for figure in found]
    decides = [decide and (is_bench or figure.endpoint == ALL) for figure in found]
    worse, better = (stand_together([pair[side] for pair in chances], decides) for side in (0, 1))
    names = _shown({figure.endpoint for figure in found}) if is_bench else {ALL: None}
    return [
        figure.judged(
            margins.of(figure.metric),
            names.get(figure.endpoint, figure.endpoint),
            decides=does,
            is_worse=is_worse,
            is_better=is_better,
            count=decides.count(does),
        )
        for figure, does, is_worse, is_better in zip(found, decides, worse, better, strict=True)
    ]


def _shown(tests: set[str]) -> dict[str, str | None]:
    """The names of benchmarks; the whole id of those that share a name."""
    names = Counter(map(name_of, tests))
    return {test: name_of(test) if names[name_of(test)] == 1 else test for test in tests}


def _figures(
    pair: PhasePair, declared: Mapping[str, Metric[Any]], calibration: Calibration | None, same_machine: bool
) -> Iterator[Figure]:
    """Those figures that both builds have, in the order of B's first run; also those that its gates name."""
    named = [run_metric(name, better) for name, better in pair.b[0].named.items()]
    metrics = [*(metric for metric in declared.values() if metric.compared), *named]
    for endpoint in dict.fromkeys(name for phase in pair.b for name in phase.endpoints):
        for metric in metrics:
            equal = at_equal_speed(pair.b, pair.a, endpoint, metric.name) if same_machine else None
            at_equal = equal is not None
            sides = pair.clean if metric.others_matter and not at_equal else (pair.a, pair.b)
            a, b = ([phase.endpoints[endpoint] for phase in side if endpoint in phase.endpoints] for side in sides)
            noise = (
                calibration.between(pair.name, endpoint, metric.name, at_equal_speed=at_equal) if calibration else None
            )
            figure = Figure.of(pair.name, endpoint, metric, a, b, noise, equal)
            if figure is not None:
                yield figure


def _verdict(figures: Sequence[ComparedFigure], unknown: Sequence[str]) -> Outcome:
    """``unknown`` are the phases whose response times cannot be compared because others took the cores."""
    if any(figure.outcome == "worse" for figure in figures):
        return "worse"
    if unknown:
        return "inconclusive"
    undecided = any(figure.outcome == "inconclusive" for figure in figures if figure.decides)
    return "inconclusive" if undecided else "not worse"


def _reasons(figures: Sequence[ComparedFigure], verdict: Outcome, unknown: Sequence[str]) -> Iterator[Message]:
    deciding = [figure for figure in figures if figure.decides]
    match verdict:
        case "worse":
            worse = [figure for figure in figures if figure.outcome == "worse"]
            for figure in worse[:_MOST_REASONS]:
                place = figure.endpoint or "all endpoints"
                yield message("compare-worse", place=place, phase=figure.phase, finding=figure.finding.message())
            if len(worse) > _MOST_REASONS:
                yield message("compare-more-worse", count=len(worse) - _MOST_REASONS)
        case "inconclusive":
            open_ones = [figure for figure in deciding if figure.outcome == "inconclusive"]
            metrics = list(dict.fromkeys(title(figure.metric) for figure in open_ones))
            if unknown:
                yield message("compare-times-unknown", phases=unknown)
            if open_ones:
                yield message("compare-undecided", count=len(open_ones), of=len(deciding), metrics=metrics)
        case _:
            yield message("compare-not-worse", count=len(deciding))
