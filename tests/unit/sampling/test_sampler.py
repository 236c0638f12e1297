"""What a sampler of phases keeps if one of them fails."""

from __future__ import annotations

from harness.record.profiles import Profile
from harness.sampling.sampler import PhaseSampler


class Recorder(PhaseSampler):
    """Records a profile of each phase, but none of the second."""

    def __init__(self) -> None:
        super().__init__()
        self.profiles: list[Profile] = []
        self.cleaned_up = False

    def begin_phase(self, index: int, name: str) -> None:  # noqa: ARG002
        self.submit(self.record, index)

    def record(self, index: int) -> None:
        if index == 1:
            raise OSError(28, "No space left on device")
        self.profiles.append(Profile(kind="cpu", phase=index, path="p", unit="samples", duration_s=1.0))

    def collect(self) -> list[Profile]:
        return self.profiles

    def clean_up(self) -> None:
        self.cleaned_up = True


def test_a_phase_that_fails_costs_no_other_phase_its_profile() -> None:
    sampler = Recorder()
    for index in range(3):
        sampler.begin_phase(index, "load")
    assert [profile.phase for profile in sampler.close()] == [0, 2]
    assert [(note.code, note.params["error"]) for note in sampler.notes] == [("sampler-failed", "OSError")]
    assert sampler.cleaned_up
