"""``network``: a slow, lossy or dead network between generator, target and dependencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import StrictBool, model_validator

from harness.errors import HarnessError, InvalidValue
from harness.faults.amounts import Bytes, BytesPerSecond
from harness.faults.fault import Fault
from harness.faults.place import Place
from harness.messages import Message, alternatives, message
from harness.proxies.conditions import Conditions
from harness.proxies.control import ProxyPlace
from harness.quantities import Duration, Share

_ALONE = ("refuse", "blackhole")
"""Nothing arrives, so nothing can be late."""


class NetworkFault(Fault):
    """Acts on the proxy that ``between`` names: one of ``[proxies.NAME]``, or ``target``.

    What it means for TCP: :class:`harness.proxies.conditions.Conditions`.
    """

    kind = "network"
    synonyms: ClassVar[Mapping[str, str]] = {
        "proxy": "between", "on": "between", "of": "between", "delay": "latency", "packet_loss": "loss",
        "rate": "bandwidth", "reset": "reset_after", "reset_peer": "reset_after", "limit_data": "reset_after",
        "down": "refuse", "timeout": "blackhole", "drop": "blackhole", "toxicity": "share", "probability": "share",
    }  # fmt: skip

    between: str
    latency: Duration | None = None
    jitter: Duration | None = None
    loss: Share | None = None
    bandwidth: BytesPerSecond | None = None
    reset_after: Bytes | None = None
    refuse: StrictBool = False
    blackhole: StrictBool = False
    share: Share = 1.0

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        given = [key for key in self._effects if getattr(self, key) or (key, self.reset_after) == ("reset_after", 0)]
        alone = next((key for key in _ALONE if key in given), None)
        if not given:
            raise InvalidValue("fault-network-without-effect", keys=[*self._effects])
        if alone is not None and len(given) > 1:
            raise InvalidValue("fault-network-excludes", key=alone, alone=alone)
        if self.jitter is not None and self.jitter > (self.latency or 0.0):
            raise InvalidValue("fault-jitter-too-large", key="jitter")
        if self.loss == 1.0:
            raise InvalidValue("fault-loss-of-all", key="loss")
        return self

    _effects: ClassVar[tuple[str, ...]] = (
        "latency", "jitter", "loss", "bandwidth", "reset_after", "refuse", "blackhole",
    )  # fmt: skip
    strength = (*_effects, "share")

    @property
    def thing(self) -> str:
        return f"proxy {self.between}"

    @property
    def proxy(self) -> str:
        return self.between

    @property
    def by_hand(self) -> Message:
        return message("fault-undo-network", proxy=self.between)

    @property
    def conditions(self) -> Conditions:
        return Conditions(
            latency_s=self.latency or 0.0,
            jitter_s=self.jitter or 0.0,
            loss=self.loss or 0.0,
            bytes_per_s=self.bandwidth,
            reset_after=self.reset_after,
            refuse=self.refuse,
            blackhole=self.blackhole,
            share=self.share,
        )

    def check(self, place: Place) -> None:
        for proxy in self._proxies(place):
            proxy.check(self.conditions)

    def begin(self, place: Place) -> None:
        for proxy in self._proxies(place):
            proxy.meet(self.conditions)

    def require_active(self, place: Place) -> None:
        for proxy in self._proxies(place):
            proxy.require(self.conditions)

    def end(self, place: Place) -> None:
        for proxy in self._proxies(place):
            proxy.clear()

    def _proxies(self, place: Place) -> tuple[ProxyPlace, ...]:
        if self.between not in place.proxies:
            raise HarnessError(
                "fault-proxy-unknown",
                name=self.between,
                alternatives=alternatives(self.between, sorted({*place.proxies, "target"})),
            )
        return place.proxies[self.between]
