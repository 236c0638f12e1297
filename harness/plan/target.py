"""Chooses the target of a run: the command line's, else the profile's, else the scenario's."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from harness.messages import Option
from harness.plan.config_source import ConfigSource, shown_path
from harness.plan.description import ScenarioDescription
from harness.plan.hosts import AllowedHosts, address_of, host_of, setting_to_allow
from harness.plan.model.target import AttachedTarget, CommandTarget, PlannedTarget, ShopTarget
from harness.plan.problems import Problems, Where
from harness.plan.settings import TargetTable

SHOP = "shop"
"""The command that means the embedded shop."""
_is_url = re.compile(r"https?://[^\s/]+(/\S*)?", re.IGNORECASE).fullmatch


@dataclass(frozen=True)
class TargetOptions:
    """``--host``, ``--pid``, ``--target`` and ``--ready``; None if not given."""

    host: str | None = None
    pid: int | None = None
    command: str | None = None
    ready: str | None = None
    allowed: tuple[str, ...] = ()
    """Other machines that load may be sent to (``--allow-host``)."""
    host_option: str = "host"
    command_option: str = "target"


def choose_target(
    options: TargetOptions,
    table: TargetTable,
    description: ScenarioDescription,
    allowed: AllowedHosts,
    source: ConfigSource,
    problems: Problems,
) -> PlannedTarget:
    """The target; contradictions go to ``problems``.

    It is on this machine or on one of ``allowed``. A name that is neither may still resolve to this machine, which
    ``harness.targets.health`` finds out. In a scenario's classes such a name is a problem.
    """
    _check_contradictions(options, table, source, problems)
    on_command_line = options.host is not None or options.command is not None
    url, command = (options.host, options.command) if on_command_line else (table.url, table.command)
    if url is not None and not any(user.is_http for user in description.user_classes):
        return AttachedTarget(url=url, pid=options.pid)
    if url is not None:
        return _attached(
            url,
            options,
            allowed,
            Option(options.host_option) if on_command_line else source.where(("target", "url")),
            problems,
        )
    if command is not None and command != SHOP:
        return CommandTarget(
            command=command,
            ready_path=options.ready or table.ready,
            ready_timeout_s=table.ready_timeout,
            environment=table.environment,
        )
    if command is None and (found := _of_user_classes(description, options.pid, allowed, problems)) is not None:
        return found
    if options.pid is not None:
        problems.add("pid-without-host", where=Option("pid"), option=Option("host", "URL"))
    elif options.ready is not None:
        problems.add("ready-without-command", where=Option("ready"), option=Option("target", "CMD"))
    elif command is None:
        problems.add(
            "no-target",
            where=shown_path(description.path),
            host=Option("host", "URL"),
            command=Option("target", "CMD"),
            shop=Option("target", SHOP),
        )
    return ShopTarget(environment=table.environment)


def _of_user_classes(
    description: ScenarioDescription, pid: int | None, allowed: AllowedHosts, problems: Problems
) -> AttachedTarget | None:
    """The target that user classes state as their ``host``; None if HTTP users state none."""
    http_users = [user for user in description.user_classes if user.is_http]
    hosts = list(dict.fromkeys(user.host for user in http_users or description.user_classes if user.host))
    if not http_users:  # the guard judges where they connect to
        return AttachedTarget(url=hosts[0] if hosts else "", pid=pid, own_hosts=True)
    if not hosts:
        return None
    for host in hosts:
        if not _is_url(host) or not allowed.allows(host_of(host)):
            _reject_scenario_host(host, shown_path(description.path), allowed, problems)
    first = hosts[0].rstrip("/")
    return AttachedTarget(url=first, pid=pid, own_hosts=True, allowed=allowed.names(host_of(first)))


def _reject_scenario_host(url: str, where: str, allowed: AllowedHosts, problems: Problems) -> None:
    host = host_of(url)
    if not host or not _is_url(url):
        problems.add("scenario-host-invalid", where=where, url=url)
        return
    problems.add(
        "scenario-host-not-allowed", where=where, url=url, host=host, setting=setting_to_allow(host, allowed.all())
    )


def _attached(
    url: str, options: TargetOptions, allowed: AllowedHosts, where: Where, problems: Problems
) -> AttachedTarget:
    if re.fullmatch(r"[\w.-]+(:\d+)?(/\S*)?", url):
        problems.add("url-without-scheme", where=where, url=url)
    elif not _is_url(url):
        problems.add("url-invalid", where=where, url=url)
    url = url.rstrip("/")
    host = host_of(url)
    if address_of(host) is not None and not allowed.allows(host):
        problems.add(
            "host-not-allowed",
            where=where,
            url=url,
            host=host,
            option=Option("allow_host", host),
            setting=setting_to_allow(host, allowed.all()),
        )
    return AttachedTarget(url=url, pid=options.pid, allowed=allowed.names(host))


def _check_contradictions(options: TargetOptions, table: TargetTable, source: ConfigSource, problems: Problems) -> None:
    if options.host is not None and options.command is not None:
        problems.add("host-with-target", where=Option("host"), other=Option("target"))
    if options.pid is not None and options.pid < 1:
        problems.add("pid-not-a-number", where=Option("pid"), pid=options.pid)
    if options.command is not None and options.pid is not None:
        problems.add("pid-with-target", where=Option("pid"), other=Option("target"))
    commands = ((Option(options.command_option), options.command), (source.where(("target", "command")), table.command))
    for where, command in commands:
        try:
            if "\0" in (command or ""):
                problems.add("target-command-invalid", where=where, reason="it contains a null character")
            elif command is not None and not shlex.split(command):
                problems.add("target-command-empty", where=where)
            elif command is not None and _is_url(command.strip()):
                problems.add(
                    "target-command-is-url",
                    where=where,
                    right=Option(options.host_option, command.strip())
                    if isinstance(where, Option)
                    else f'url = "{command.strip()}"',
                )
        except ValueError as error:
            problems.add("target-command-invalid", where=where, reason=str(error))
    for where, path in ((Option("ready"), options.ready), (source.where(("target", "ready")), table.ready)):
        if path is not None and not path.startswith("/"):
            inside = path.partition("://")[2].partition("/")[2] if "://" in path else path
            problems.add("ready-not-a-path", where=where, path=path, meant=f"/{inside}")
    if table.url is not None and table.command is not None:
        problems.add("target-url-and-command", where=source.where(("target", "url")))
