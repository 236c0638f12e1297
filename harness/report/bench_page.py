"""``report.html`` of a bench: the page of a run, with a table of benchmarks and their charts in place of the load's."""

from __future__ import annotations

import shlex

from harness.analysis.compare import against, meaning_of, relative
from harness.analysis.rounds import interval_of
from harness.metrics import BENCH_METRICS
from harness.metrics.statistics import Exact
from harness.plan.bench import BenchPlan
from harness.recording.bench import BenchRecording, references
from harness.report.bench_charts import bench_chart_data
from harness.report.comparison import Change
from harness.report.flames import bench_flame_data
from harness.report.page import SCRIPTS, rendered
from harness.report.recorded import JudgedSuite

_SECTIONS = [
    ("gates", "Gates"),
    ("benchmarks", "Benchmarks"),
    ("charts", "Charts"),
    ("flames", "Flame graphs"),
    ("baseline", "Baseline"),
    ("about", "About this bench"),
]
_HOW = "`harness bench {}` takes one."


def bench_html(judged: JudgedSuite) -> str:
    """The whole page."""
    suite, summary = judged.recorded, judged.summary
    return rendered(
        "bench.html",
        sections=_SECTIONS,
        plan=suite.plan,
        summary=summary,
        main=None,
        ending=" · interrupted" if suite.end and suite.end.interrupted else "",
        environment=suite.environment,
        baseline=suite.baseline,
        changes=bench_changes(suite),
        not_compared=[],
        warnings=[*summary.warnings, *judged.missing],
        profile_notes=suite.profiles.notes,
        cpu_off="" if suite.plan.profile else _HOW.format("--profile"),
        memory_off="" if suite.plan.memory else _HOW.format("--memory"),
        memory_because="",
        command=bench_command(suite.plan),
        charts=bench_chart_data(suite, summary),
        scripts=(*SCRIPTS, "benchcharts.js"),
        flames=bench_flame_data(judged.profiles, [suite.shown(test) for test in suite.report.benchmarks]),
    )


def bench_changes(suite: BenchRecording) -> list[Change]:
    """Of each benchmark that the baseline knows, the change of each figure, in the suite's order."""
    found = []
    for benchmark in suite.benchmarks:
        test = benchmark.test
        for metric in (metric for metric in BENCH_METRICS.values() if metric.compared):
            before = references(suite.baseline, test, metric.name)
            # An interval of a great many rounds takes a while: only of what there is something to compare with.
            figure = interval_of(benchmark, metric, suite.memory.get(test)) if before else None
            if figure is None:
                continue
            value, seen = against(figure, before, metric)
            change, interval = relative(seen, value, metric)
            found.append(
                Change(
                    "benchmarks",
                    suite.shown(test),
                    metric.name,
                    metric.unit.name,
                    value,
                    seen.value,
                    change,
                    None if isinstance(metric.statistic, Exact) else interval,
                    meaning_of(interval, metric),
                )
            )
    return found


def bench_command(plan: BenchPlan) -> str:
    """The command that runs the suite again, under the same gates; the project's hold without being given."""
    parts = ["harness", "bench", *plan.arguments]
    parts += [word for gate in plan.gates if plan.strict for word in ("--gate", gate.source)]
    parts += ["--profile"] if plan.profile else []
    parts += ["--memory"] if plan.memory else []
    return shlex.join(parts)
