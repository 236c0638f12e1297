"""Why gates failed and figures got worse: ranked causes, as codes and parameters.

A *question* is one kind of figure in one place that got worse (:mod:`harness.explain.questions`). Each kind of cause is
a file in :mod:`harness.explain.kinds` that looks at what was recorded; :mod:`harness.explain.ranking` orders what they
find and says what is left unexplained.
"""

from __future__ import annotations

from harness.explain.questions import questions_of
from harness.explain.ranking import explanation_of
from harness.record.summary import Summary
from harness.recording import BenchRecording, RunRecording


def explained(recording: RunRecording | BenchRecording, summary: Summary) -> Summary:
    """The summary of a judged run with its explanations."""
    if isinstance(recording, BenchRecording):
        return summary
    found = (explanation_of(question) for question in questions_of(recording, summary))
    # The verdict says why a run is broken.
    kept = [explanation for explanation in found if explanation.causes or explanation.metric != "run"]
    return summary.model_copy(update={"explanations": kept})
