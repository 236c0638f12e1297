"""Where workers of other machines come in: the address the master listens on, the secret, the command to type there."""

from __future__ import annotations

import ipaddress
import shlex
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from harness.cluster.secret import VARIABLE, given_secret, new_secret
from harness.errors import HarnessError
from harness.plan.hosts import is_loopback

PORT = 5557
"""Locust's, which firewalls may know."""
_LOOPBACK = "127.0.0.1"
_ANSWER_S = 5.0


@dataclass(frozen=True)
class ListenAddress:
    """By default one for this machine alone: loopback, any free port (0), a secret of its own."""

    host: str = _LOOPBACK
    port: int = 0
    secret: str = field(default_factory=new_secret, repr=False)
    secret_was_given: bool = False

    @property
    def beyond_this_machine(self) -> bool:
        return not is_loopback(self.host)

    def reached_at(self) -> str:
        """The address that other machines reach the master at."""
        if ipaddress.ip_address(self.host).is_unspecified:
            return _own_addresses()[0]
        return self.host

    def local_address(self) -> str:
        """The address that workers of this machine reach the master at."""
        address = ipaddress.ip_address(self.host)
        return ("::1" if address.version == 6 else _LOOPBACK) if address.is_unspecified else self.host

    def command(self, port: int) -> str:
        """What is to be typed on the other machines."""
        secret = "" if self.secret_was_given else f"{VARIABLE}={shlex.quote(self.secret)} "
        return f"{secret}harness worker --master {joined(self.reached_at(), port)}"


def resolve_listen_address(bind: str | None, expected: int | None, secret_file: Path | None) -> ListenAddress | None:
    """The door of ``--bind``, ``--expect-workers`` and ``--secret-file``; None without ``--bind``.

    Without a secret given, one is made, and shown with the command to type. Raises :class:`HarnessError` where that
    would go to a log, where the options cannot be, or contradict one another.
    """
    secret = given_secret(secret_file)
    if bind is None:
        if expected is not None:
            raise HarnessError(
                "means nothing where no machine can join", where="--expect-workers", hint="Give --bind ADDR too."
            )
        return None
    if expected is not None and expected < 1:
        raise HarnessError(
            f"{expected} is not a number of workers", where="--expect-workers", hint="Leave --bind out for a run here."
        )
    host, port = resolve_bind(bind)
    if secret is None and not sys.stderr.isatty():
        raise HarnessError(
            "workers need a secret to join with, and a log is no place for the secret that is made on a terminal",
            where="--bind",
            hint=f"Give one here and to the workers: {VARIABLE}, or by --secret-file.",
        )
    return ListenAddress(host, port, secret or new_secret(), secret_was_given=secret is not None)


def split_address(text: str, option: str, *, default: int | None = PORT) -> tuple[str, int]:
    """Host and port of ``HOST[:PORT]``, ``[IPV6]:PORT`` or a bare IPv6 address; ``default`` where no port is given.

    Raises :class:`HarnessError`, naming ``option``, where it is none of these, or where a port is needed (no default).
    """
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else None if port else default
    if not host or number is None or not 0 < number < 65536 or any(part in host for part in "/@ "):
        such = f"10.0.0.5, 10.0.0.5:{PORT} or [fd00::5]:{PORT}" if default else "127.0.0.1:9646 or [::1]:9646"
        raise HarnessError(
            f'"{text}" is not an address{"" if default else " with a port"}', where=option, hint=f"Such as {such}."
        )
    return host, number


def joined(host: str, port: int) -> str:
    """``10.0.0.5:5558``, ``[fd00::5]:5558``; without the port where it is the default."""
    if port == PORT:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def resolve_bind(text: str) -> tuple[str, int]:
    """The address of this machine that ``--bind`` names, and the port.

    Raises :class:`HarnessError` where it is none, or where the port is taken.
    """
    host, port = split_address(text, "--bind")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as fault:
        raise HarnessError(f"the host {host!r} is not known", where="--bind", hint=_hint()) from fault
    address = str(found[0][4][0])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((address, 0))
        except OSError as fault:
            raise HarnessError(f"{address} is no address of this machine", where="--bind", hint=_hint()) from fault
        probe.close()
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as fault:
            raise HarnessError(
                f"port {port} of {address} cannot be listened on: {fault.strerror}",
                where="--bind",
                hint=f"Take another: --bind {host}:{port + 1 if port < 65535 else PORT}",
            ) from fault
    return address, port


def reached_from_outside(url: str, listen_address: ListenAddress, *, managed: bool) -> str:
    """The target's URL as workers of other machines reach it.

    A target that the harness starts is asked for on loopback; where it listens on the door's address as well, that is
    its URL. Raises :class:`HarnessError` where only this machine reaches it.
    """
    if not listen_address.beyond_this_machine or not is_loopback(url):
        return url
    port = urlsplit(url).port
    host = listen_address.reached_at()
    if managed and port is not None:
        outside = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        try:
            socket.create_connection((host, port), timeout=_ANSWER_S).close()
        except OSError:
            hint = (
                f"Have it listen on {host} too (--target 'CMD --host 0.0.0.0 --port {{port}}'), or start it yourself "
                f"and give --host http://{host}:PORT. With --bind 127.0.0.1 workers of this machine may join."
            )
        else:
            return outside
    else:
        hint = "Give the target an address that all machines reach: --host URL, with --allow-host NAME"
    raise HarnessError(
        "the target listens on this machine alone; workers elsewhere cannot reach it", where=url, hint=hint
    )


def _hint() -> str:
    return f"This machine has: {', '.join(_own_addresses())}; 0.0.0.0 takes all of them."


def _own_addresses() -> list[str]:
    """Addresses of this machine, those that others may reach first: IPv4 before IPv6, loopback last."""
    found = [
        ipaddress.ip_address(entry.address)
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in (socket.AF_INET, socket.AF_INET6) and "%" not in entry.address
    ]
    return [str(address) for address in sorted(found, key=lambda one: (one.is_loopback, one.version))]
