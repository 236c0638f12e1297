"""The profiles of a recorded run: samples as a sampler writes them, and what memray found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.analysis.functions import parse_frame
from harness.messages import message
from harness.record.measurement import phase_title
from harness.record.profiles import Profile, ProfileIndex, Span, Stack, read_folded, write_folded
from harness.record.run_folder import RunFolder
from tests.support.recorded_load import RanPhase

CPU_STACKS = [
    Stack(("main (harness/shop/__main__.py:12)", "run (uvicorn/server.py:60)", "list_products (harness/shop/app.py:80)",
           "execute (sqlalchemy/engine/base.py:1400)"), 420),
    Stack(("main (harness/shop/__main__.py:12)", "run (uvicorn/server.py:60)", "list_products (harness/shop/app.py:84)",
           "serialize (harness/shop/app.py:30)"), 260),
    Stack(("main (harness/shop/__main__.py:12)", "run (uvicorn/server.py:60)", "checkout (harness/shop/app.py:140)",
           "execute (sqlalchemy/engine/base.py:1400)"), 180),
    Stack(("main (harness/shop/__main__.py:12)", "run (uvicorn/server.py:60)"), 140),
]  # fmt: skip
"""A plausible CPU profile of the shop, for those who need one and do not care which."""


@dataclass(frozen=True)
class Profiles:
    """Folded CPU profiles by phase name, and what memray found leaked in the diagnose phase."""

    cpu: Mapping[str, Sequence[Stack]] = field(default_factory=dict)
    leaked: Sequence[Stack] = ()
    notes: Sequence[str] = ()
    rates_hz: Mapping[str, float] = field(default_factory=dict)
    """By phase; 100 where none is given."""
    python: str | None = "3.12"
    """None: perf has sampled a target without Python."""


def _by_spans(folder: RunFolder, profile: Profile) -> Profile:
    """The profile as a sampler would write it: its samples distributed over spans, and clocks that agree with them."""
    spans = 10
    rng = np.random.default_rng(profile.phase)
    stacks = read_folded(folder.path / profile.path)
    path = (folder.path / profile.path).with_suffix(".spans.folded")
    dealt = [(stack.frames, rng.multinomial(stack.weight, [1 / spans] * spans).tolist()) for stack in stacks]
    write_folded(
        path,
        [
            Stack((f"span {span}", "pid 1", *frames), weight)
            for frames, weights in dealt
            for span, weight in enumerate(weights)
        ],
    )
    assert profile.rate_hz is not None
    used_s = sum(stack.weight for stack in stacks) / profile.rate_hz / spans
    length_s = profile.duration_s / spans
    return replace(
        profile,
        spans_path=str(path.relative_to(folder.path)),
        spans=[Span(span * length_s, length_s, profile.rate_hz, {1: used_s}) for span in range(spans)],
        own=sorted(
            {file for stack in stacks for frame in stack.frames if (file := parse_frame(frame).file)[:4] == "shop"}
        ),
    )


def write_profiles(folder: RunFolder, spans: Sequence[RanPhase], profiles: Profiles) -> ProfileIndex:
    index = ProfileIndex(notes=[message("note", text=note) for note in profiles.notes])
    for number, span in enumerate(spans):
        duration_s = span.end_s - span.start_s
        for variant in ("a", "b") if span.plan.turns else ("",):
            name = phase_title(span.plan.name, variant)
            stacks = profiles.cpu.get(name)
            if stacks is None:
                continue
            folder.cpu.mkdir(exist_ok=True)
            path = folder.cpu / f"{number}-{name}.folded"
            write_folded(path, list(stacks))
            relative = str(path.relative_to(folder.path))
            rate_hz = profiles.rates_hz.get(name, 100.0)
            profile = Profile(
                "cpu", number, relative, "samples", duration_s, rate_hz, variant=variant, python=profiles.python
            )
            index.profiles.append(_by_spans(folder, profile))
        if span.plan.kind == "diagnose" and profiles.leaked:
            folder.memory.mkdir(exist_ok=True)
            path = folder.memory / f"{number}-{span.plan.name}-leaked.folded"
            write_folded(path, list(profiles.leaked))
            relative = str(path.relative_to(folder.path))
            index.profiles.append(Profile("memory-leaked", number, relative, "bytes", duration_s))
    return index
