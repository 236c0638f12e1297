"""The address at which the master accepts workers, its secret, and the command to join."""

from __future__ import annotations

import errno
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
from harness.messages import Option
from harness.plan.hosts import is_loopback, join_address

PORT = 5557
"""Locust's, which firewalls may know."""
_LOOPBACK = "127.0.0.1"
_CONNECT_S = 5.0


@dataclass(frozen=True)
class ListenAddress:
    """By default for this machine only: loopback, any free port (0), a generated secret."""

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
        """The command to run on the other machines."""
        secret = "" if self.secret_was_given else f"{VARIABLE}={shlex.quote(self.secret)} "
        return f"{secret}harness worker --master {format_address(self.reached_at(), port)}"


def resolve_listen_address(bind: str | None, expected: int | None, secret_file: Path | None) -> ListenAddress | None:
    """The listen address of ``--bind``, ``--expect-workers`` and ``--secret-file``; None without ``--bind``.

    If no secret is given, one is generated and shown with the command to join. Raises :class:`HarnessError` if that
    would go to a log, or if the options are invalid or contradict one another.
    """
    secret = given_secret(secret_file)
    if bind is None:
        if expected is not None:
            raise HarnessError(
                "expect-workers-without-bind", where=Option("expect_workers", expected), option=Option("bind", "ADDR")
            )
        return None
    if expected is not None and expected < 1:
        raise HarnessError("expect-workers-too-few", where=Option("expect_workers", expected), option=Option("bind"))
    host, port = resolve_bind(bind)
    if secret is None and not sys.stderr.isatty():
        raise HarnessError(
            "bind-without-secret", where=Option("bind", bind), variable=VARIABLE, option=Option("secret_file")
        )
    return ListenAddress(host, port, secret or new_secret(), secret_was_given=secret is not None)


def split_address(text: str, option: str, *, default: int | None = PORT) -> tuple[str, int]:
    """Host and port of ``HOST[:PORT]``, ``[IPV6]:PORT`` or a bare IPv6 address.

    Without a port it is ``default``; if that is None, a port is required. Raises :class:`HarnessError`, naming
    ``option``, if ``text`` is none of these.
    """
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else None if port else default
    if not host or number is None or not 0 < number < 65536 or any(part in host for part in "/@ "):
        if default is None:
            raise HarnessError("address-without-port", where=Option(option), address=text)
        raise HarnessError("address-invalid", where=Option(option), address=text, port=PORT)
    return host, number


def format_address(host: str, port: int) -> str:
    """``10.0.0.5:5558``, ``[fd00::5]:5558``; without the default port."""
    return host if port == PORT else join_address(host, port)


def resolve_bind(text: str) -> tuple[str, int]:
    """The address of this machine that ``--bind`` names, and the port.

    Raises :class:`HarnessError` if it is not one, or the port is not free.
    """
    host, port = split_address(text, "bind")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise HarnessError(
            "bind-host-unknown", where=Option("bind", text), host=host, addresses=_own_addresses()
        ) from error
    address = str(found[0][4][0])
    with socket.socket(found[0][0]) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise HarnessError(
                    "bind-address-not-local", where=Option("bind", text), address=address, addresses=_own_addresses()
                ) from error
            raise HarnessError(
                "bind-port-unavailable",
                where=Option("bind", text),
                port=port,
                address=address,
                reason=error.strerror,
                option=Option("bind", f"{host}:{port + 1 if port < 65535 else PORT}"),
            ) from error
    return address, port


def reached_from_outside(url: str, listen_address: ListenAddress, *, managed: bool) -> str:
    """The target's URL as workers of other machines reach it.

    A target that the harness starts has a URL on loopback. If it also listens on the master's address, that is its URL
    for workers. Raises :class:`HarnessError` if only this machine reaches it.
    """
    if not listen_address.beyond_this_machine or not is_loopback(url):
        return url
    port = urlsplit(url).port
    host = listen_address.reached_at()
    if not managed or port is None:
        raise HarnessError(
            "target-url-on-loopback", where=url, host=Option("host", "URL"), allow=Option("allow_host", "NAME")
        )
    try:
        socket.create_connection((host, port), timeout=_CONNECT_S).close()
    except OSError as error:
        raise HarnessError(
            "target-listens-on-loopback",
            where=url,
            address=host,
            command=Option("target", "CMD --host 0.0.0.0 --port {port}"),
            host=Option("host", f"http://{host}:PORT"),
            bind=Option("bind", _LOOPBACK),
        ) from error
    return f"http://{join_address(host, port)}"


def _own_addresses() -> list[str]:
    """Addresses of this machine, those that other machines may reach first: IPv4 before IPv6, loopback last."""
    found = [
        ipaddress.ip_address(entry.address)
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in (socket.AF_INET, socket.AF_INET6) and "%" not in entry.address
    ]
    return [str(address) for address in sorted(found, key=lambda one: (one.is_loopback, one.version))]
