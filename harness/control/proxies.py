"""Starts the proxies of a run before its target, and leads target and load through them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.messages import Message, message
from harness.plan.hosts import address_of_url, join_address, split_address
from harness.plan.model.fault import BEFORE_TARGET, PlannedProxy
from harness.plan.model.run import RunPlan
from harness.plan.model.target import AttachedTarget, PlannedTarget
from harness.targets.health import LOOPBACK, why_not_listening

if TYPE_CHECKING:
    from harness.proxies.control import ProxyPlace
    from harness.proxies.process import ProxyProcess


@dataclass
class Proxies:
    """The proxies of a run. ``places`` are theirs by name; in a duet, the target has several."""

    places: dict[str, tuple[ProxyPlace, ...]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    """What a managed target finds its dependencies by."""
    process: ProxyProcess | None = None

    def pids(self) -> list[int]:
        """What forwards the load's connections is a part of the generator."""
        return [] if self.process is None else [self.process.pid]

    def notices(self) -> list[Message]:
        """What the user should know at the end of the load."""
        if self.process is None or (self.process.is_alive() and not self.process.is_stopped()):
            return []
        self.process.wake()
        return [message("proxies-ended")]

    def with_addresses(self, target: PlannedTarget) -> PlannedTarget:
        """The target as it is started, if the harness starts it: with the proxies' addresses in its environment."""
        if isinstance(target, AttachedTarget) or not self.environment:
            return target
        return target.model_copy(update={"environment": {**target.environment, **self.environment}})

    def put_before(self, urls: list[str], plan: RunPlan) -> list[tuple[str, int] | None]:
        """For each target, the address through which the load reaches it; None: directly."""
        if not any(proxy.name == BEFORE_TARGET for proxy in plan.proxies):
            return [None for _ in urls]
        assert self.process is not None
        places = []
        for number, url in enumerate(urls):
            upstream = address_of_url(url)
            if upstream is None:
                raise HarnessError("proxies-without-target", where=url)
            places.append(self.process.add(f"{BEFORE_TARGET} {number}", (LOOPBACK, 0), upstream))
        self.places[BEFORE_TARGET] = tuple(places)
        return [(place.host, place.port) for place in places]


@contextmanager
def start_proxies(plan: RunPlan, log: Path, notify: Callable[[Message], None]) -> Iterator[Proxies]:
    """The proxies of the plan, forwarding; what was started or made is removed at the end. ``log`` is the run's.

    ``notify`` gets what could not be removed.
    Raises :class:`HarnessError`, with exit code 2 if an address cannot be listened on or nobody listens at an upstream.
    """
    proxies = Proxies()
    with ExitStack() as started:
        if any(proxy.toxiproxy is None for proxy in plan.proxies):
            from harness.proxies.process import ProxyProcess  # only here: few runs have any

            proxies.process = started.enter_context(ProxyProcess(log))
        for proxy in plan.proxies:
            if proxy.name == BEFORE_TARGET:
                continue  # the target has not started yet
            if proxy.toxiproxy is None:
                place: ProxyPlace = _own(proxy, proxies.process)
            else:
                place = started.enter_context(_of_toxiproxy(proxy, proxy.toxiproxy, notify))
            proxies.places[proxy.name] = (place,)
            proxies.environment |= _filled(proxy.environment, place)
        yield proxies


def _own(proxy: PlannedProxy, process: ProxyProcess | None) -> ProxyPlace:
    assert process is not None
    assert proxy.upstream is not None
    upstream = split_address(proxy.upstream)
    if not proxy.of_target and (reason := why_not_listening(*upstream)):
        raise HarnessError(
            "proxy-upstream-unreachable", where=proxy.where.get("upstream"), upstream=proxy.upstream, reason=reason
        )
    try:
        return process.add(proxy.name, split_address(proxy.listen), upstream)
    except HarnessError as error:
        if error.code != "proxy-failed":
            raise
        raise HarnessError(
            "proxy-address-unusable",
            where=proxy.where.get("listen", proxy.where.get("")),
            address=proxy.listen,
            reason=error.params["reason"],
        ) from error


@contextmanager
def _of_toxiproxy(proxy: PlannedProxy, url: str, notify: Callable[[Message], None]) -> Iterator[ProxyPlace]:
    from harness.proxies.toxiproxy import find_toxiproxy, remove_toxiproxy

    try:
        place, is_new = find_toxiproxy(url, proxy.name, proxy.upstream, proxy.listen)
    except HarnessError as error:
        params: dict[str, Any] = {**error.params}
        raise HarnessError(error.code, where=proxy.where.get("toxiproxy"), **params) from error
    try:
        yield place
    finally:
        try:
            if is_new:
                remove_toxiproxy(place)
            else:
                place.clear()
        except HarnessError as error:
            code = "toxiproxy-not-removed" if is_new else "toxiproxy-not-cleared"
            notify(message(code, name=proxy.name, why=error.reason()))


def _filled(environment: Mapping[str, str], place: ProxyPlace) -> dict[str, str]:
    host = LOOPBACK if place.host in ("0.0.0.0", "::") else place.host
    values = {"{address}": join_address(host, place.port), "{host}": host, "{port}": str(place.port)}
    filled = {}
    for name, value in environment.items():
        text = os.path.expandvars(value)
        for mark, meant in values.items():  # replaced, not formatted: a value may hold other braces (JSON)
            text = text.replace(mark, meant)
        filled[name] = text
    return filled
