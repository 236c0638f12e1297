"""Starts the target of a run, or attaches to a running one."""

from __future__ import annotations

from collections.abc import Sequence

from harness.plan import model
from harness.record.run_folder import RunFolder
from harness.targets.attached import Attached
from harness.targets.managed import start_managed
from harness.targets.target import Target


def start_target(
    plan: model.Target,
    folder: RunFolder,
    *,
    agent: bool = True,
    allowed_hosts: Sequence[model.AllowedHost] = (),
    secret_names: Sequence[str] = (),
) -> Target:
    """Start the target, or find it; returns when it is ready for load.

    ``agent`` puts the memory agent into the Python processes of a managed target. Their output goes to the folder's
    ``target.log``, redacted; ``secret_names`` are the user's own. ``allowed_hosts`` are the plan's.

    Raises :class:`HarnessError`, with exit code 4 if the target is missing or does not get ready.
    """
    if isinstance(plan, model.AttachedTarget):
        return Attached(plan, allowed_hosts)
    return start_managed(plan, folder.target_log, agent=agent, secret_names=secret_names)
