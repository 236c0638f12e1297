"""How a proxy is put under conditions, from any process: the harness's own, or one of a Toxiproxy."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ExitCode, HarnessError
from harness.proxies.conditions import CLEAR, Conditions
from harness.proxies.toxiproxy import ToxiproxyProxy

_LOOPBACK = "127.0.0.1"
_TIMEOUT_S = 10.0


class OwnProxy(BaseModel):
    """A proxy that the harness holds (:mod:`harness.proxies.__main__`), at ``host`` and ``port``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["own"] = "own"
    name: str
    host: str
    port: int
    control: int
    """The port where its process takes orders."""
    secret: str

    def check(self, conditions: Conditions) -> None:
        """It can do all of them."""

    def meet(self, conditions: Conditions) -> None:
        """Put it under these conditions. Raises :class:`HarnessError` if it has ended, or cannot listen again."""
        order = {"do": "conditions", "name": self.name, "conditions": asdict(conditions)}
        ask(self.control, self.secret, order, name=self.name)

    def require(self, conditions: Conditions) -> None:
        """Its conditions last as long as its process, whose end breaks the run."""

    def clear(self) -> None:
        """Make it forward unchanged; harmless if it has ended."""
        try:
            self.meet(CLEAR)
        except HarnessError as error:
            if error.code != "proxy-gone":
                raise


ProxyPlace = Annotated[OwnProxy | ToxiproxyProxy, Field(discriminator="kind")]
"""A proxy as a fault finds it."""


def ask(port: int, secret: str, order: dict[str, Any], *, name: str) -> dict[str, Any]:
    """Have the proxies' process at ``port`` do something about the proxy ``name``; its response.

    Raises :class:`HarnessError` if it has gone, does not respond, or could not.
    """
    try:
        with socket.create_connection((_LOOPBACK, port), timeout=_TIMEOUT_S) as channel:
            channel.sendall(json.dumps({"secret": secret, **order}).encode() + b"\n")
            with channel.makefile("rb") as lines:
                response: dict[str, Any] = json.loads(lines.readline())
    except TimeoutError as error:
        raise HarnessError("proxy-hangs", exit_code=ExitCode.BROKEN, name=name, seconds=_TIMEOUT_S) from error
    except (OSError, ValueError) as error:
        raise HarnessError("proxy-gone", exit_code=ExitCode.BROKEN, name=name) from error
    if "error" in response:
        raise HarnessError("proxy-failed", exit_code=ExitCode.BROKEN, name=name, reason=response["error"])
    return response
