"""What the master answers a machine that asks to join: the run's plan and its scenario, laid down in a folder here.

In that folder, ``scenario/`` holds what was sent, as the scenario finds it; what the harness itself writes lies beside
it, so that no file of a scenario is in its way. The master knows the secret, but may err: nothing it sends is trusted
to be what it should.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.cluster import messages
from harness.cluster.bundle import Bundle
from harness.cluster.join_request import unpack
from harness.errors import ExitCode, HarnessError
from harness.plan.model import RunPlan
from harness.record.run_folder import write_text


def scenario_folder(folder: Path) -> Path:
    """Where scenarios are to run: they may open files by paths relative to where harness was called."""
    return folder / "scenario"


def plan_file(folder: Path) -> Path:
    return folder / "plan.json"


class JoinAccepted(BaseModel):
    """The master lets this machine in. ``indexes``: the numbers of its workers; ``plan``: a ``RunPlan`` as JSON."""

    model_config = ConfigDict(frozen=True)

    indexes: list[int]
    plan: str
    target: str
    scenario: tuple[str, ...]
    files: dict[str, bytes]
    warnings: list[str]

    @classmethod
    def read(cls, message: bytes, master: str) -> JoinAccepted | None:
        """The welcome that this message of the master is; None where it is another, and the answer is yet to come.

        Raises :class:`HarnessError` where the master refuses this machine, or makes no sense.
        """
        try:
            kind, data = unpack(message)
            if kind == messages.ACCEPTED:
                return cls.model_validate(data)
            refusal = str(data["message"]) if kind == messages.REJECTED else None
        except (ValueError, LookupError, TypeError) as fault:
            raise _not_understood(master) from fault
        if refusal is not None:
            raise HarnessError(f"the master refuses this machine: {refusal}", where=master)
        return None

    def lay_down(self, folder: Path, master: str) -> RunPlan:
        """Write scenario and plan, which is this machine's from here on: its paths are.

        Raises :class:`HarnessError` where they cannot be written, or make no sense.
        """
        here = scenario_folder(folder)
        try:
            sent = RunPlan.model_validate_json(self.plan)
            here.mkdir(mode=0o700)
            files = tuple(map(str, Bundle(self.scenario, self.files).lay_down(here)))
        except OSError as fault:
            raise HarnessError(f"the scenario cannot be laid down: {fault}", where=str(here)) from fault
        except ValueError as fault:
            raise _not_understood(master) from fault
        own = {"path": files[0], "files": files if sent.scenario.files else ()}
        plan = sent.model_copy(update={"scenario": sent.scenario.model_copy(update=own)})
        write_text(plan_file(folder), plan.model_dump_json())
        return plan


def _not_understood(master: str) -> HarnessError:
    return HarnessError(
        "the master sent something that cannot be understood",
        where=master,
        hint="Is the same harness installed there?",
        exit_code=ExitCode.BROKEN,
    )
