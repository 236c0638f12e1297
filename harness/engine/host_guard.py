"""Limits where a load worker may connect: to this machine, and to the hosts that the plan allows.

It checks the interpreter's audit event (PEP 578) of every connect and of every datagram with an address, which no
Python library can avoid. Requests on an open connection raise no event, so they cost nothing. An event holds an
address; its host is known from the name that gevent's resolver looked up before. The resolver refuses names that cannot
be allowed. ZeroMQ, which connects a worker to its master, is not Python and raises no event, and Unix sockets are not
checked.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gevent import get_hub

from harness.engine.pacing.rate_limiter import RateLimiter
from harness.engine.request_failures import HostNotAllowed
from harness.plan.hosts import LOCAL, AllowedHosts, address_of, host_key, host_of
from harness.plan.model.run import RunPlan

_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_IP = (socket.AF_INET, socket.AF_INET6)
_REMEMBERED = 1000
"""Addresses that are not allowed, kept with their names for messages."""


class Guard:
    """Enforces ``hosts`` in one worker, number ``worker`` of ``workers``, which share the rate limits among them.

    ``own`` are addresses that count as this machine: that of a target that the harness has started, as remote workers
    see it.
    """

    def __init__(self, hosts: AllowedHosts, own: Iterable[str] = (), *, worker: int = 0, workers: int = 1) -> None:
        self._own = own = frozenset(own)
        # Several names of this machine may have a rate limit; the lowest holds.
        self._hosts = AllowedHosts(entry.model_copy(update={"host": self._key(entry.host)}) for entry in hosts.all())
        self._leads_anywhere = any(map(address_of, own))
        """Whether a name of any kind may lead to this machine."""
        self._found: set[str] = set()
        """Addresses of allowed hosts."""
        self._asked: dict[str, str] = {}
        """By address that is not allowed: the name that it was looked up by."""
        self.rate_limiters: dict[str, RateLimiter] = {
            entry.host: RateLimiter(entry.max_rate // workers + (worker < entry.max_rate % workers))
            for entry in self._hosts.all()
            if entry.max_rate is not None
        }
        self._by_another_name: dict[str, RateLimiter] = {}
        """By names and addresses that turned out to lead to a host with a rate limit."""

    def install(self) -> None:
        """Guard this process until it ends."""
        sys.addaudithook(_hook(self.check))
        guard_lookups(get_hub().resolver, self)

    def take_held(self) -> int:
        """How many requests have waited for a rate limit since the last call."""
        return sum(rate_limiter.take_held() for rate_limiter in self.rate_limiters.values())

    def rate_limiter(self, host: str) -> RateLimiter | None:
        """The rate limiter for requests to ``host``, as a URL names it; None if it has none.

        The limiter of an address is known for its other names once they have been looked up.
        """
        if not self.rate_limiters:
            return None
        key = self._key(host)
        return self.rate_limiters.get(key) or self._by_another_name.get(key)

    def require(self, host: str, addresses: Iterable[str] | None) -> None:
        """Raises :class:`HostNotAllowed` if a request must not go to ``host``, which has these addresses.

        If ``addresses`` is None, a proxy will look them up, and the name alone decides.
        """
        if self._hosts.allows(self._key(host)):
            # Even a name of this machine must lead here.
            if addresses is None or self._key(host) != LOCAL or all(map(self._is_allowed, addresses)):
                return
        elif addresses is not None and all(self._hosts.allows(self._key(address)) for address in addresses):
            return
        raise HostNotAllowed(host=host)

    def check_look_up(self, host: Any) -> None:
        """Raises :class:`HostNotAllowed` if no address of ``host`` could make it allowed. No DNS server sees it then.

        A name that this machine has itself is looked up, and so is any name if the address of a host is allowed.
        """
        name = _text(host)
        key = self._key(name)
        if key and not self._leads_anywhere and not self._hosts.may_lead_to_allowed(key):
            raise HostNotAllowed(host=name)

    def note(self, host: Any, addresses: Sequence[str]) -> None:
        """Take note that ``host`` was looked up, and has these addresses."""
        name = _text(host)
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
        """Apply a host's rate limit to its address, and to each name that is allowed only because of that address.

        A host that is allowed by its own name may share the address (of a CDN). Then only a limit of the address itself
        applies to it.
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
        """Raises :class:`HostNotAllowed` if a socket of that family must not connect to ``address``."""
        if family not in _IP or not isinstance(address, tuple) or not address:
            return
        host = _text(address[0])
        if not self._is_allowed(host):
            raise HostNotAllowed(host=self._asked.get(host, host))

    def _is_allowed(self, address: str) -> bool:
        """Whether an address is allowed, or a name that the system will look up."""
        return address.partition("%")[0] in self._found or self._hosts.allows(self._key(address))

    def _key(self, host: str) -> str:
        key = host_key(host)
        return LOCAL if key in self._own else key


def _text(host: Any) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")


def _hook(check: Callable[[int, Any], None], events: frozenset[str] = _EVENTS) -> Callable[[str, Any], None]:
    """The hook is called until the interpreter ends, when module names are gone: so it holds all that it needs."""

    def on_audit(event: str, arguments: Any) -> None:
        if event in events and arguments[1] is not None:
            check(arguments[0].family, arguments[1])

    return on_audit


def guard_lookups(resolver: Any, guard: Guard) -> None:
    """Have gevent's resolver ask the guard first, and tell it what was found."""

    def guarding(method: str, addresses: Callable[[Any], Sequence[str]]) -> None:
        find = getattr(resolver, method)

        def find_and_note(host: Any, *rest: Any, **more: Any) -> Any:
            guard.check_look_up(host)
            found = find(host, *rest, **more)
            guard.note(host, addresses(found))
            return found

        setattr(resolver, method, find_and_note)

    guarding("getaddrinfo", lambda found: [str(entry[4][0]) for entry in found if entry[0] in _IP])
    guarding("gethostbyname", lambda found: [found])
    guarding("gethostbyname_ex", lambda found: found[2])


_process_guard: Guard | None = None
"""The one guard of this process: an audit hook cannot be removed."""


def install_guard(plan: RunPlan, target: str, index: int) -> Guard:
    """Guard the process of worker number ``index`` until it ends; ``target`` is the target's URL as seen from here."""
    global _process_guard
    own = [] if plan.target.kind == "attached" else [host_of(target)]
    _process_guard = Guard(AllowedHosts(plan.allowed_hosts), own, worker=index, workers=plan.all_workers)
    _process_guard.install()
    return _process_guard


def guard() -> Guard | None:
    """The guard of this process; None outside load workers."""
    return _process_guard
