"""Makes the CPU profile of a phase from what py-spy, and the looks at tasks, recorded in its spans."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from harness.messages import Message, message
from harness.record.measurement import ONLY
from harness.record.profiles import TASK, Profile, Span, Stack, write_folded
from harness.record.run_folder import RunFolder
from harness.sampling.frame_names import own_files, python_of
from harness.sampling.py_spy import complaint, counts, fold
from harness.sampling.spans import PhaseRecorder, RecordedSpan, discard
from harness.sampling.wait_hints import with_hints

_MANY_ERRORS = 0.25
"""py-spy does not stop the target, whose stacks change while they are read. That alone costs a tenth of the samples."""
_NOTABLE_CORES = 0.03
"""What sampling takes beyond its share is worth a warning from here on."""


def profile_of(
    recorder: PhaseRecorder, roots: Collection[int], folder: RunFolder, variant: str
) -> tuple[Profile | None, list[Message]]:
    """The profile of all spans that were written (None if there are none), and what makes it doubtful.

    Its files are written into ``folder``, and those of the spans are removed. ``roots`` are the first processes of the
    target: their stacks do not begin with their names.
    """
    stacks = _Stacks(anywhere=variant != ONLY)
    logs: list[str] = []
    for span in recorder.spans:
        if any(recording.raw.exists() for recording in span.recordings.values()):
            stacks.add(span, _raw(span, roots, hinted=recorder.tier.kind == "waits"))
        for recording in span.recordings.values():
            logs.append(recording.log.read_text(errors="replace"))
            discard(recording)
    if stacks.spans:
        return _profile(recorder, stacks, folder, variant), list(_doubts(recorder, stacks.spans, logs))
    if logs:  # it sampled, but could not write its file
        return None, [message("cpu-py-spy-failed", phase=recorder.name, reason=complaint(logs[0]))]
    return None, []


@dataclass
class _Stacks:
    """The stacks of some spans, together and by span and process."""

    anywhere: bool
    """As for :func:`~harness.sampling.frame_names.short_path`: the builds of a duet are in different folders."""
    spans: list[RecordedSpan] = field(default_factory=list)
    whole: Counter[tuple[str, ...]] = field(default_factory=Counter)
    by_span: list[Stack] = field(default_factory=list)
    own: set[str] = field(default_factory=set)
    """The files of the target's own code."""
    python: str | None = None

    def add(self, span: RecordedSpan, recorded: Iterator[tuple[int, tuple[str, ...], str]]) -> None:
        """One more span, with what :func:`_raw` has of it."""
        for pid, outer, raw in recorded:
            self.python = self.python or python_of(raw)
            self.own |= own_files(raw, anywhere=self.anywhere)
            for stack in fold(raw, anywhere=self.anywhere):
                frames = (*outer, *stack.frames)
                self.whole[frames] += stack.weight
                self.by_span.append(Stack((f"span {len(self.spans)}", f"pid {pid}", *frames), stack.weight))
        self.spans.append(span)


def _raw(span: RecordedSpan, roots: Collection[int], *, hinted: bool) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """What was recorded in a span: process id, the frames around its stacks, and stacks as py-spy writes them."""
    for recording in span.recordings.values():
        if recording.raw.exists():
            raw = recording.raw.read_text(errors="replace")
            process = () if recording.pid in roots else (f"process {recording.name}",)
            yield recording.pid, process, with_hints(raw) if hinted else raw
    if span.tasks is not None:
        for pid, raw in span.tasks.raw_by_pid(span.duration_s * span.rate_hz).items():
            yield pid, (TASK,), raw


def _profile(recorder: PhaseRecorder, stacks: _Stacks, folder: RunFolder, variant: str) -> Profile:
    folded = recorder.stem.with_name(f"{recorder.stem.name}.folded")
    write_folded(folded, [Stack(frames, weight) for frames, weight in stacks.whole.items()])
    spans_path = folded.with_suffix(".spans.folded")
    write_folded(spans_path, stacks.by_span)
    parts = [_span(span, recorder.began_s) for span in stacks.spans]
    sampled_s = sum(part.duration_s for part in parts)
    seen = sum(part.rate_hz * part.duration_s for part in parts)
    return Profile(
        kind=recorder.tier.kind,
        phase=recorder.index,
        path=str(folded.relative_to(folder.path)),
        unit="samples",
        offset_s=parts[0].offset_s,
        duration_s=round(parts[-1].offset_s + parts[-1].duration_s - parts[0].offset_s, 3),
        rate_hz=round(seen / sampled_s, 3) if sampled_s else parts[0].rate_hz,
        cores=_mean_cores(stacks.spans),
        variant=variant,
        spans_path=str(spans_path.relative_to(folder.path)),
        spans=parts,
        own=sorted(stacks.own),
        python=stacks.python,
    )


def _doubts(recorder: PhaseRecorder, spans: Sequence[RecordedSpan], logs: Sequence[str]) -> Iterator[Message]:
    phase, rate_hz = recorder.name, recorder.rate.hz
    cores = _mean_cores(spans[1:])  # the first one could not know the cost
    if cores is not None and cores > _NOTABLE_CORES and recorder.rate.is_too_expensive(cores):
        yield message("cpu-sampling-expensive", phase=phase, cores=cores, rate_hz=rate_hz)
    samples, errors = (sum(each) for each in zip(*map(counts, logs), strict=True))
    expected = _MANY_ERRORS * (samples + errors)
    if errors > expected + 2 * math.sqrt(expected):  # more than chance explains if there are few
        yield message("cpu-samples-unreadable", phase=phase, errors=errors, samples=samples + errors)
    if any("behind in sampling" in log for log in logs):
        yield message("cpu-rate-too-high", phase=phase, rate_hz=rate_hz)
    for problem in {span.tasks.problem for span in spans if span.tasks is not None} - {""}:
        yield message("tasks-not-seen", phase=phase, reason=problem)


def _span(span: RecordedSpan, began_s: float) -> Span:
    return Span(
        offset_s=round(span.began_s - began_s, 3),
        duration_s=round(span.duration_s, 3),
        rate_hz=float(span.rate_hz),
        cpu_s={pid: round(used_s, 6) for pid, used_s in span.clocks_s.items()},
    )


def _mean_cores(spans: Sequence[RecordedSpan]) -> float | None:
    known = [(span.cores, span.duration_s) for span in spans if span.cores is not None]
    length_s = sum(span_s for _, span_s in known)
    return round(sum(cores * span_s for cores, span_s in known) / length_s, 4) if length_s else None
