"""Where a load worker may connect to: this machine, and the hosts that the plan allows.

It is asked at the one place that no Python library gets around: the interpreter's own audit event (PEP 578) of every
connect and of every datagram with an address. Requests on a connection that is open raise none, so they cost nothing.
An event names an address. Which host it belongs to is known from the name that was looked for before, in gevent's
resolver. ZeroMQ, by which a worker is tied to its master, is no Python and is not asked, nor are Unix sockets.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gevent import get_hub

from harness.engine.pacing.rate_limiter import RateLimiter
from harness.engine.request_failures import HostNotAllowed
from harness.plan.hosts import LOCAL, AllowedHosts, host_key, host_of
from harness.plan.model import RunPlan

_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_IP = (socket.AF_INET, socket.AF_INET6)
_REMEMBERED = 1000
"""So many addresses that are not allowed are known by name, for messages."""


class Guard:
    """What the plan allows. ``own`` are addresses that need no leave and count as this machine: that of a target which
    the harness has started, as workers elsewhere see it. ``worker`` of ``workers`` workers keep the ceilings together.
    """

    def __init__(self, hosts: AllowedHosts, own: Iterable[str] = (), *, worker: int = 0, workers: int = 1) -> None:
        self._own = frozenset(own)
        # Both names of this machine may have a ceiling; the lowest holds.
        self._hosts = AllowedHosts(entry.model_copy(update={"host": self._key(entry.host)}) for entry in hosts.all())
        self._found: set[str] = set()
        """Addresses that the names of allowed hosts have."""
        self._asked: dict[str, str] = {}
        """By address: the name, not allowed, that it was found by."""
        self.rate_limiters: dict[str, RateLimiter] = {
            entry.host: RateLimiter(entry.max_rate // workers + (worker < entry.max_rate % workers))
            for entry in self._hosts.all()
            if entry.max_rate is not None
        }
        self._by_another_name: dict[str, RateLimiter] = {}
        """Of names and addresses that were found to lead to a host with a ceiling."""

    def install(self) -> None:
        """From now on, for the rest of the process."""
        sys.addaudithook(_hook(self.check))
        hub: Any = get_hub()
        hub.resolver = _Noting(hub.resolver, self)

    def take_held(self) -> int:
        """How many requests have waited for a ceiling since the last call."""
        return sum(rate_limiter.take_held() for rate_limiter in self.rate_limiters.values())

    def rate_limiter(self, host: str) -> RateLimiter | None:
        """Of requests to a host, as a URL names it; None where there is none.

        That of an address is known for other names of it as soon as they were looked for.
        """
        if not self.rate_limiters:
            return None
        key = self._key(host)
        return self.rate_limiters.get(key) or self._by_another_name.get(key)

    def require(self, host: str, addresses: Iterable[str] | None) -> None:
        """Raises :class:`HostNotAllowed` where a request may not go to ``host``, which has these addresses; None: a
        proxy is to find them, so the name alone decides.
        """
        if self._hosts.allows(self._key(host)):
            # A name of this machine, too, must lead here.
            if addresses is None or self._key(host) != LOCAL or all(map(self._is_allowed, addresses)):
                return
        elif addresses is not None and all(self._hosts.allows(self._key(address)) for address in addresses):
            return
        raise HostNotAllowed(host)

    def note(self, host: Any, addresses: Sequence[str]) -> None:
        """A name was looked for, and these are its addresses."""
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
        key = self._key(name)
        if self.rate_limiters:
            self._note_rate_limiter(key, [self._key(address) for address in addresses])
        if key == LOCAL:
            return
        if self._hosts.allows(key):
            self._found.update(address.partition("%")[0] for address in addresses)
            return
        if len(self._asked) > _REMEMBERED:
            self._asked.clear()
        self._asked.update(dict.fromkeys(addresses, name))

    def _note_rate_limiter(self, key: str, addresses: list[str]) -> None:
        """A host's ceiling holds for its address, too, and for each name that is let through for that address alone.

        One that is allowed by its own name may share the address (a CDN's): only the address's own ceiling is its, too.
        """
        own = self.rate_limiters.get(key)
        if own is not None:
            self._by_another_name.update(dict.fromkeys(addresses, own))
            return
        for address in addresses:
            found = self.rate_limiters.get(address)
            if found is None and not self._hosts.allows(key):
                found = self._by_another_name.get(address)
            if found is not None:
                self._by_another_name[key] = found
                return

    def check(self, family: int, address: Any) -> None:
        """Raises :class:`HostNotAllowed` where a socket of that family may not connect there."""
        if family not in _IP or not isinstance(address, tuple) or not address:
            return
        host = address[0].decode("ascii", "replace") if isinstance(address[0], bytes) else str(address[0])
        if not self._is_allowed(host):
            raise HostNotAllowed(self._asked.get(host, host))

    def _is_allowed(self, address: str) -> bool:
        """Of an address, or of a name where the system is to look for it."""
        return address.partition("%")[0] in self._found or self._hosts.allows(self._key(address))

    def _key(self, host: str) -> str:
        key = host_key(host)
        return LOCAL if key in self._own else key


def _hook(check: Callable[[int, Any], None], events: frozenset[str] = _EVENTS) -> Callable[[str, Any], None]:
    """It is called until the interpreter's very end, when a module's names are gone: so it holds all it needs."""

    def on_audit(event: str, arguments: Any) -> None:
        if event in events and arguments[1] is not None:
            check(arguments[0].family, arguments[1])

    return on_audit


class _Noting:
    """gevent's resolver, whose findings a guard notes."""

    def __init__(self, resolver: Any, guard: Guard) -> None:
        self._resolver = resolver
        self._guard = guard

    def getaddrinfo(self, host: Any, *rest: Any, **more: Any) -> Any:
        found = self._resolver.getaddrinfo(host, *rest, **more)
        self._guard.note(host, [str(entry[4][0]) for entry in found if entry[0] in _IP])
        return found

    def gethostbyname(self, hostname: Any, *rest: Any, **more: Any) -> Any:
        found = self._resolver.gethostbyname(hostname, *rest, **more)
        self._guard.note(hostname, [found])
        return found

    def gethostbyname_ex(self, hostname: Any, *rest: Any, **more: Any) -> Any:
        found = self._resolver.gethostbyname_ex(hostname, *rest, **more)
        self._guard.note(hostname, found[2])
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resolver, name)


_installed: Guard | None = None


def install_guard(plan: RunPlan, target: str, index: int) -> Guard:
    """Guard this worker's process, number ``index``, for good; ``target`` is the target's URL, as it reaches it."""
    global _installed
    own = [] if plan.target.kind == "attached" else [host_of(target)]
    _installed = Guard(AllowedHosts(plan.allowed_hosts), own, worker=index, workers=plan.all_workers)
    _installed.install()
    return _installed


def guard() -> Guard | None:
    """The one that this process has; None outside load workers."""
    return _installed
