"""All samplers. To add one, write a file beside this one and list it here."""

from __future__ import annotations

from harness.sampling.build_usage import BUILD_USAGE
from harness.sampling.cpu import CPU
from harness.sampling.machine_speed import MACHINE_SPEED
from harness.sampling.memory import MEMORY
from harness.sampling.process_events import PROCESS_STARTS_AND_ENDS
from harness.sampling.process_usage import PROCESS_USAGE
from harness.sampling.sampler import SamplerKind
from harness.sampling.surroundings import SURROUNDINGS

SAMPLERS: tuple[SamplerKind, ...] = (
    PROCESS_USAGE,
    BUILD_USAGE,
    MACHINE_SPEED,
    SURROUNDINGS,
    PROCESS_STARTS_AND_ENDS,
    CPU,
    MEMORY,
)
