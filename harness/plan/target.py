"""Which target a run is put on: named on the command line, else in the profile, else by the scenario, else the shop."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.plan.config_source import ConfigSource, shown_path
from harness.plan.description import ScenarioDescription
from harness.plan.hosts import AllowedHosts, address_of, host_of, setting_to_allow
from harness.plan.model import AttachedTarget, CommandTarget, ShopTarget, Target
from harness.plan.problems import Problems
from harness.plan.settings import TargetTable


@dataclass(frozen=True)
class TargetOptions:
    """``--host``, ``--pid``, ``--target`` and ``--ready`` as they were given; None where they were not."""

    host: str | None = None
    pid: int | None = None
    command: str | None = None
    ready: str | None = None
    allowed: tuple[str, ...] = ()
    """Hosts beyond this machine that load may be sent to (``--allow-host``)."""


def choose_target(
    options: TargetOptions,
    table: TargetTable,
    description: ScenarioDescription,
    allowed: AllowedHosts,
    source: ConfigSource,
    problems: Problems,
) -> Target:
    """The target; contradictions go to ``problems``.

    It is on this machine, or on one of ``allowed``. A name that is neither may still mean this machine: that is asked
    when it is looked for (``harness.targets.health``). But not one in the scenario's classes, which are copied about.
    """
    _check_contradictions(options, table, source, problems)
    if options.host is not None:
        return _attached(_checked_url(options.host, "--host", problems), options, allowed, "--host", problems)
    if options.command is not None:
        return _command(options.command, options.ready or table.ready, table)
    if table.url is not None:
        where = source.where(("target", "url"))
        return _attached(_checked_url(table.url, where, problems), options, allowed, where, problems)
    if table.command is not None:
        return _command(table.command, options.ready or table.ready, table)
    hosts = list(dict.fromkeys(user.host for user in description.user_classes if user.host))
    if hosts:
        for host in hosts:
            if not allowed.allows(host_of(host)):
                problems.add(
                    f"the scenario names the host {host}, which is not this machine",
                    where=shown_path(description.file),
                    hint=f"if it is yours to load, {setting_to_allow(host_of(host), allowed.all())}"
                    if host_of(host)
                    else "write its whole URL, such as http://127.0.0.1:8000",
                )
        first = hosts[0].rstrip("/")
        return AttachedTarget(url=first, pid=options.pid, own_hosts=True, allowed=allowed.names(host_of(first)))
    if options.pid is not None:
        problems.add(
            "means nothing without a target that runs already", where="--pid", hint="give its URL too: --host URL"
        )
    if options.ready is not None:
        problems.add("means nothing for the embedded shop", where="--ready", hint="give a command too: --target CMD")
    return ShopTarget(environment=table.environment)


def _attached(
    url: str, options: TargetOptions, allowed: AllowedHosts, where: str, problems: Problems
) -> AttachedTarget:
    host = host_of(url)
    if address_of(host) is not None and not allowed.allows(host):
        problems.add(
            f"load is only sent to this machine, and {url} is on another",
            where=where,
            hint=f"if {host} is yours to load, {setting_to_allow(host, allowed.all())}; for this run alone: "
            f"--allow-host {host}",
        )
    return AttachedTarget(url=url, pid=options.pid, allowed=allowed.names(host))


def _command(command: str, ready: str, table: TargetTable) -> CommandTarget:
    return CommandTarget(
        command=command, ready_path=ready, ready_timeout_s=table.ready_timeout, environment=table.environment
    )


def _check_contradictions(options: TargetOptions, table: TargetTable, source: ConfigSource, problems: Problems) -> None:
    if options.host is not None and options.command is not None:
        problems.add("exclude one another", where="--host and --target", hint="attach to a URL, or start a command")
    if options.command is not None and options.pid is not None:
        problems.add("the harness knows the process it starts", where="--pid", hint="leave --pid out with --target")
    for name, command in (("--target", options.command), (source.where(("target", "command")), table.command)):
        if command is not None and not command.strip():
            problems.add("the command is empty", where=name, hint='such as "uvicorn app:app --port {port}"')
    for name, path in (("--ready", options.ready), (source.where(("target", "ready")), table.ready)):
        if path is not None and not path.startswith("/"):
            problems.add(f'"{path}" is not a path', where=name, hint=f'did you mean "/{path}"?')
    if table.url is not None and table.command is not None:
        problems.add(
            "has both url and command",
            where=source.where(("target", "url")),
            hint="keep url to attach to a target that runs, command to have it started",
        )


def _checked_url(url: str, where: str, problems: Problems) -> str:
    if not re.fullmatch(r"[a-zA-Z][\w+.-]*://[^\s/]+(/\S*)?", url):
        likely = re.fullmatch(r"[\w.-]+(:\d+)?(/\S*)?", url)
        problems.add(
            f'"{url}" is not a URL',
            where=where,
            hint=f'did you mean "http://{url}"?' if likely else "such as http://127.0.0.1:8000",
        )
    return url.rstrip("/")
