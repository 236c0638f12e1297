"""Gates on steps, ``p95 no step up``: whether a figure is still at the level of a step.

Such a gate needs no limit. It fails with the third run at the new level, and until the figure is back, or somebody has
accepted a run at that level.
"""

from __future__ import annotations

from harness.analysis.change_points import FEWEST
from harness.analysis.nights import standing
from harness.gates.requirement import Finding
from harness.messages import message
from harness.metrics.formatting import Amount
from harness.plan.requirement import Comparison
from harness.record.measurement import Interval
from harness.record.run_folder import out_option
from harness.recording.run import RunRecording


def judged_by_steps(
    comparison: Comparison, observed: Interval, run: RunRecording, phase: str, endpoint: str
) -> Finding:
    """What the history in the run's folder says of a gate on steps."""
    if run.past_runs is None:
        return Finding("inconclusive", message("gate-no-history", metric=comparison.metric), observed)
    place = (phase, endpoint, comparison.metric)
    series = next((one for one in run.past_runs.series if (one.phase, one.endpoint, one.metric) == place), None)
    runs = len(series.figures) if series else 0
    is_equal = series is not None and series.at_equal_speed
    if series is not None and series.run_ids[-1] == run.run_id:  # as the step is judged: at equal speed in all seconds
        observed = series.figures[-1]
    if series is None or runs < FEWEST:
        short = message(
            "gate-history-too-short", metric=comparison.metric, runs=runs, all=len(run.past_runs.runs), needed=FEWEST
        )
        return Finding("inconclusive", short, observed, at_equal_speed=is_equal)
    step = standing(series, upwards=comparison.is_upper)
    if step is None:
        none = message("gate-no-step", metric=comparison.metric, runs=runs)
        return Finding("pass", none, observed, at_equal_speed=is_equal)
    before, after = (Amount(level, series.unit) for level in (step.level_before, step.level_after))
    reason = message(
        "gate-step",
        metric=comparison.metric,
        before=before,
        after=after,
        runs=[each.run_id for each in (step.before, step.after)],
        commits=[each.commit or "no commit" for each in (step.before, step.after)],
        out=out_option(run.folder.path.parent),
    )
    return Finding("fail", reason, observed, step.level_before, step.level_before, at_equal_speed=is_equal)
