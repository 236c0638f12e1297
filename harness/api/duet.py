"""``harness.duet(…)``: what ``harness duet`` does, as a call."""

from __future__ import annotations

from harness.api.options import DuetOptions, several
from harness.api.python_call import python_call, taking
from harness.api.result import Run
from harness.api.run import carry_out, plans_of
from harness.engine.fork_server import ForkServer
from harness.errors import HarnessError
from harness.messages import Option
from harness.plan.duet import duet_plan
from harness.plan.model import RunPlan
from harness.plan.target import TargetOptions


def run_duet(options: DuetOptions) -> Run:
    """Put the same load on two builds in turns of half a second, and compare them turn by turn.

    ``a`` and ``b`` are commands that start the builds, or ``a_url`` and ``b_url`` the URLs of running ones. Each build
    is started ``starts`` times. The other arguments are those of :func:`harness.run`. Gates judge build B; in them,
    ``baseline`` means build A. ``summary.changes`` has every figure of B beside A's.

    Raises what :func:`harness.run` raises.
    """
    targets = [_build("a", options.a, options.a_url, options), _build("b", options.b, options.b_url, options)]
    if options.starts > 1 and any(target.host for target in targets):
        raise HarnessError("duet-starts-of-running", where=Option("starts"))

    def plan(fork_server: ForkServer) -> RunPlan:
        first, second = plans_of(options, fork_server, *targets)
        return duet_plan(first, second, starts=options.starts)

    return carry_out(plan, options)


def _build(name: str, command: str | None, url: str | None, options: DuetOptions) -> TargetOptions:
    if (command is None) == (url is None):
        code = "duet-build-missing" if command is None else "duet-build-given-twice"
        raise HarnessError(code, where=Option(name), command=Option(name, "CMD"), url=Option(f"{name}_url", "URL"))
    return TargetOptions(host=url, command=command, ready=options.ready, allowed=several(options.allow_host))


duet = python_call(taking(DuetOptions, run_duet, "duet"))
