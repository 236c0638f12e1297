"""Which hosts load may be sent to, and at what rate: ``allowed_hosts`` and ``--allow-host``.

Hosts are distinguished by name, as URLs have them. This machine is always allowed. It is one host whatever it is
called (``localhost``, ``127.0.0.1``, ``[::1]``): a rate limit for one of these names holds for all.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from harness.errors import InvalidValue
from harness.messages import alternatives, quoted
from harness.plan.model.target import AllowedHost

LOCAL = "localhost"
MOST_RATE = 10_000_000
_PORTS = {"http": 80, "https": 443}

_is_name = re.compile(r"[\w.-]+").fullmatch
_address_parts = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w-]{1,63}(?:\.[\w-]{1,63})*\.?):(?P<port>\d{1,5})"
).fullmatch


def host_key(host: str) -> str:
    """The one spelling of a host: a name in lower case as the DNS has it, an address in its usual form.

    This machine is :data:`LOCAL`.
    """
    name = host.strip("[]").rstrip(".").lower()
    if name == LOCAL or name.endswith(f".{LOCAL}"):
        return LOCAL
    address = address_of(name)
    if address is not None:
        return LOCAL if address.is_loopback else str(address)
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:  # no host can have this name; it is rejected when it is looked up
        return name


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """``host`` as an address, None if it is a name. An IPv4 address in IPv6 form becomes the IPv4 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(url_or_host: str) -> bool:
    """Whether it means this machine, without asking the DNS."""
    return host_of(url_or_host) == LOCAL


def host_of(url_or_host: str) -> str:
    """The :func:`host_key` of a URL's host; empty where it names none."""
    text = f"[{url_or_host}]" if address_of(url_or_host) is not None and ":" in url_or_host else url_or_host
    try:
        name = urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError:  # not a URL, such as half an IPv6 address
        return ""
    return host_key(name) if name else ""


def address_of_url(url: str) -> tuple[str, int] | None:
    """The host and port that a URL leads to; None if it does not say."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT`` or ``[IPV6]:PORT``. Raises ``InvalidValue``."""
    found = _address_parts(address)
    if found is None or int(found["port"]) > 65535:
        raise InvalidValue("proxy-address-invalid", value=address)
    return found["host"].strip("[]"), int(found["port"])


def join_address(host: str, port: int) -> str:
    """``10.0.0.5:80`` or ``[fd00::5]:80``, as URLs have it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_host(value: object) -> object:
    """Check an entry of ``allowed_hosts``: a name, or a table of ``host`` and ``max_rate``. Raises ``InvalidValue``."""
    table = {"host": value} if isinstance(value, str) else value
    if not isinstance(table, dict):
        raise InvalidValue("host-invalid", value=value)
    name, most = table.get("host"), table.get("max_rate")
    unknown = sorted(set(table) - {"host", "max_rate"})
    if unknown:
        raise InvalidValue("unknown-key", word=unknown[0], alternatives=alternatives(unknown[0], ["host", "max_rate"]))
    if not isinstance(name, str):
        raise InvalidValue("host-invalid", value=name)
    if not (_is_name(name) or address_of(name.strip("[]"))):
        likely = host_of(name)
        if _is_name(likely):
            raise InvalidValue("host-more-than-a-name", value=name, meant=likely)
        raise InvalidValue("host-invalid", value=name)
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MOST_RATE):
        raise InvalidValue("host-rate-invalid", value=most, most=MOST_RATE)
    return {"host": host_key(name), "max_rate": most}


class AllowedHosts:
    """The allowed hosts of a run, each once; of several rate limits for a host the lowest holds."""

    def __init__(self, *groups: Iterable[AllowedHost]) -> None:
        self._by_key: dict[str, AllowedHost] = {}
        for entry in (entry for entries in groups for entry in entries):
            known = self._by_key.get(entry.host, entry)
            rates = [rate for rate in (known.max_rate, entry.max_rate) if rate is not None]
            self._by_key[entry.host] = AllowedHost(host=entry.host, max_rate=min(rates, default=None))

    def allows(self, host: str) -> bool:
        """Whether load may be sent to that :func:`host_key`, going by its name."""
        return host == LOCAL or host in self._by_key

    def may_lead_to_allowed(self, host: str) -> bool:
        """Whether that :func:`host_key` is allowed, or may be by an address of it.

        That is so for names that this machine has itself, and for every name if the address of a host is allowed.
        Others need not be looked up: no DNS server sees them then.
        """
        return (
            self.allows(host)
            or address_of(host) is not None
            or host in _names_of_machine()
            or any(address_of(key) for key in self._by_key)
        )

    def names(self, host: str) -> bool:
        """Whether that :func:`host_key` is another machine that is allowed."""
        return host != LOCAL and host in self._by_key

    def max_rate(self, host: str) -> int | None:
        """The most requests a second to that :func:`host_key`; None: no limit."""
        return self._by_key[host].max_rate if host in self._by_key else None

    def all(self) -> tuple[AllowedHost, ...]:
        return tuple(self._by_key.values())


@cache
def _names_of_machine() -> frozenset[str]:
    """Names that this machine knows without the DNS: its own, and those of its hosts file."""
    try:
        lines = Path("/etc/hosts").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [name for line in lines for name in line.partition("#")[0].split()[1:]]
    return frozenset(host_key(name) for name in (*names, socket.gethostname()))


def setting_to_allow(host: str, known: Sequence[AllowedHost]) -> str:
    """The line of ``[tool.harness]`` that allows ``host`` beside the ``known`` ones."""
    entries = [_toml(entry) for entry in known if entry.host != host] + [quoted(host)]
    return f"allowed_hosts = [{', '.join(entries)}]"


def _toml(entry: AllowedHost) -> str:
    name = quoted(entry.host)
    return name if entry.max_rate is None else f"{{host = {name}, max_rate = {entry.max_rate}}}"
