"""``harness.duet(…)``: what ``harness duet`` does, as a call."""

from __future__ import annotations

from contextlib import ExitStack

from harness.api.options import DuetOptions, several
from harness.api.python_call import python_call, taking
from harness.api.result import Run
from harness.api.run import carry_out, plans_of
from harness.engine.fork_server import ForkServer
from harness.errors import HarnessError, problems_of
from harness.messages import Option
from harness.plan.duet import duet_plan
from harness.plan.model.run import RunPlan
from harness.plan.model.target import CommandTarget, Variant
from harness.plan.target import TargetOptions
from harness.targets.worktrees import Build, two_builds


def run_duet(options: DuetOptions) -> Run:
    """Put the same load on two builds in turns of half a second, and compare them turn by turn.

    ``a`` and ``b`` are commands that start the builds, or ``a_url`` and ``b_url`` the URLs of running ones. With
    ``base``, a git ref, ``target`` starts both: A in a worktree of that ref, B in one of HEAD, which has the changes
    since if ``uncommitted``. Each build is started ``starts`` times. The other arguments are those of
    :func:`harness.run`. Gates judge build B; in them, ``baseline`` means build A. ``summary.changes`` has every figure
    of B beside A's.

    Raises what :func:`harness.run` raises.
    """
    targets = _targets(options)
    if options.starts > 1 and any(target.host for target in targets):
        raise HarnessError("duet-starts-of-running", where=Option("starts"))
    with ExitStack() as checkouts:

        def plan(fork_server: ForkServer) -> RunPlan:
            try:
                first, second = plans_of(options, fork_server, *targets)
            except HarnessError as error:
                if options.base is not None and [problem.code for problem in problems_of(error)] == ["no-target"]:
                    raise _without_command() from error
                raise
            if options.base is not None:
                builds = checkouts.enter_context(two_builds(options.base, uncommitted=options.uncommitted))
                first, second = (_in_checkout(each, build) for each, build in zip((first, second), builds, strict=True))
            return duet_plan(
                first,
                second,
                starts=options.starts,
                stop_early=options.stop_early,
                side_by_side=options.side_by_side,
            )

        return carry_out(plan, options)


def _targets(options: DuetOptions) -> list[TargetOptions]:
    if options.base is None:
        for name, given in (("target", options.target), ("uncommitted", options.uncommitted or None)):
            if given is not None:
                raise HarnessError("duet-without-base", where=Option(name), option=Option("base", "REF"))
        return [_build("a", options.a, options.a_url, options), _build("b", options.b, options.b_url, options)]
    for name in ("a", "b", "a_url", "b_url"):
        if getattr(options, name) is not None:
            raise HarnessError("duet-base-and-build", where=Option("base"), other=Option(name))
    command = TargetOptions(command=options.target, ready=options.ready, allowed=several(options.allow_host))
    return [command, command]


def _build(name: str, command: str | None, url: str | None, options: DuetOptions) -> TargetOptions:
    if (command is None) == (url is None):
        code = "duet-build-missing" if command is None else "duet-build-given-twice"
        raise HarnessError(code, where=Option(name), command=Option(name, "CMD"), url=Option(f"{name}_url", "URL"))
    return TargetOptions(
        host=url,
        command=command,
        ready=options.ready,
        allowed=several(options.allow_host),
        host_option=f"{name}_url",
        command_option=name,
    )


def _in_checkout(plan: RunPlan, build: Build) -> RunPlan:
    """The plan with its target started in a checkout."""
    if not isinstance(plan.target, CommandTarget):
        raise _without_command()
    target = plan.target.model_copy(update={"folder": str(build.folder), "revision": build.revision})
    return plan.model_copy(update={"targets": (Variant(target=target),)})


def _without_command() -> HarnessError:
    return HarnessError("duet-base-without-command", where=Option("base"), option=Option("target", "CMD"))


duet = python_call(taking(DuetOptions, run_duet, "duet"))
