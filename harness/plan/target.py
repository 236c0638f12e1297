"""Which target a run is put on: named on the command line, else in the profile, else by the scenario, else the shop."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.plan.description import ScenarioDescription
from harness.plan.faults import Faults
from harness.plan.model import AttachedTarget, CommandTarget, ShopTarget, Target
from harness.plan.settings import TargetTable
from harness.plan.written import Written, shown_path


@dataclass(frozen=True)
class TargetOptions:
    """``--host``, ``--pid``, ``--target`` and ``--ready`` as they were given; None where they were not."""

    host: str | None = None
    pid: int | None = None
    command: str | None = None
    ready: str | None = None
    allowed: tuple[str, ...] = ()
    """Hosts beyond this machine that load may be sent to (``--allow-host``)."""


def settle_target(
    options: TargetOptions, table: TargetTable, description: ScenarioDescription, written: Written, faults: Faults
) -> Target:
    """The target; contradictions go to ``faults``.

    A URL given on the command line or in the profile is the user's leave to load that host. One in the scenario's
    classes is not: files are copied about, and load must not reach a host by accident. There only loopback is taken.
    """
    _tell_contradictions(options, table, written, faults)
    if options.host is not None:
        return _attached(_checked_url(options.host, "--host", faults), options)
    if options.command is not None:
        return _command(options.command, options.ready or table.ready, table)
    if table.url is not None:
        url = _checked_url(table.url, written.where(("target", "url")), faults)
        return _attached(url, options)
    if table.command is not None:
        return _command(table.command, options.ready or table.ready, table)
    hosts = list(dict.fromkeys(user.host for user in description.user_classes if user.host))
    if hosts:
        for host in hosts:
            if not is_loopback(host):
                faults.add(
                    f"the scenario names the host {host}, which is not this machine",
                    where=shown_path(description.file),
                    hint=f"to load that host, say so: --host {host}",
                )
        return AttachedTarget(url=hosts[0].rstrip("/"), pid=options.pid, own_hosts=True)
    if options.pid is not None:
        faults.add(
            "means nothing without a target that runs already", where="--pid", hint="give its URL too: --host URL"
        )
    if options.ready is not None:
        faults.add("means nothing for the embedded shop", where="--ready", hint="give a command too: --target CMD")
    return ShopTarget(environment=table.environment)


def _attached(url: str, options: TargetOptions) -> AttachedTarget:
    try:
        name = urlsplit(url).hostname
    except ValueError:  # half an IPv6 address: whoever connects will tell
        name = None
    return AttachedTarget(url=url, pid=options.pid, allowed=name in {host.lower() for host in options.allowed})


def _command(command: str, ready: str, table: TargetTable) -> CommandTarget:
    return CommandTarget(
        command=command, ready_path=ready, ready_timeout_s=table.ready_timeout, environment=table.environment
    )


def _tell_contradictions(options: TargetOptions, table: TargetTable, written: Written, faults: Faults) -> None:
    if options.host is not None and options.command is not None:
        faults.add("exclude one another", where="--host and --target", hint="attach to a URL, or start a command")
    if options.command is not None and options.pid is not None:
        faults.add("the harness knows the process it starts", where="--pid", hint="leave --pid out with --target")
    for name, command in (("--target", options.command), (written.where(("target", "command")), table.command)):
        if command is not None and not command.strip():
            faults.add("the command is empty", where=name, hint='such as "uvicorn app:app --port {port}"')
    for name, path in (("--ready", options.ready), (written.where(("target", "ready")), table.ready)):
        if path is not None and not path.startswith("/"):
            faults.add(f'"{path}" is not a path', where=name, hint=f'did you mean "/{path}"?')
    if table.url is not None and table.command is not None:
        faults.add(
            "has both url and command",
            where=written.where(("target", "url")),
            hint="keep url to attach to a target that runs, command to have it started",
        )


def _checked_url(url: str, where: str, faults: Faults) -> str:
    if not re.fullmatch(r"[a-zA-Z][\w+.-]*://[^\s/]+(/\S*)?", url):
        likely = re.fullmatch(r"[\w.-]+(:\d+)?(/\S*)?", url)
        faults.add(
            f'"{url}" is not a URL',
            where=where,
            hint=f'did you mean "http://{url}"?' if likely else "such as http://127.0.0.1:8000",
        )
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    try:
        name = urlsplit(host if "://" in host else f"//{host}").hostname
    except ValueError:  # no URL: half an IPv6 address
        return False
    if name is None or name == "localhost" or name.endswith(".localhost"):
        return name is not None
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
