"""The traces of a run: receives spans from before the target starts until it has stopped."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.cluster.listen_address import split_address
from harness.errors import HarnessError
from harness.messages import Message, Option, message
from harness.plan.model.run import RunPlan
from harness.plan.model.sampling import TraceSampling
from harness.record.run_folder import RunFolder
from harness.sampling.otlp_receiver import OtlpReceiver, is_installed
from harness.targets.tracing import FLUSH_S, Tracing

PORT = 4318
"""OTLP over HTTP: the port to which targets send their spans by default."""
_LOOPBACK = "127.0.0.1"
_LATER_S = 0.5
"""How long a batch may take from the target to here."""


class Traces:
    """What a run needs to be traced; without a receiver, it does nothing."""

    def __init__(self, receiver: OtlpReceiver | None, tracing: Tracing | None, notes: list[Message]) -> None:
        self._receiver = receiver
        self.tracing = tracing
        self._notes = notes

    @property
    def are_received(self) -> bool:
        """Whether spans can come in."""
        return self._receiver is not None

    def finish(self) -> None:
        """Once the load has ended: wait for the spans that the target has not sent yet."""
        if self._receiver is not None:
            time.sleep(FLUSH_S + _LATER_S)

    def close(self) -> list[Message]:
        """Receive nothing more; what the user should know."""
        if self._receiver is not None:
            self._receiver.close()
        return [*self._notes, *(self.tracing.notes if self.tracing else ())]


@contextmanager
def receive_traces(plan: RunPlan, folder: RunFolder) -> Iterator[Traces]:
    """Receive spans if the plan asks for them. Without the package for it, the run goes on without traces.

    Raises :class:`HarnessError` if the address of ``--otlp`` cannot be used.
    """
    wanted = plan.sampling.traces
    if wanted is None:
        yield Traces(None, None, [])
        return
    if not is_installed():
        yield Traces(None, None, [message("traces-not-installed")])
        return
    try:
        receiver = _listen(plan, wanted, folder)
    except OSError as error:
        if wanted.listen is not None:
            raise HarnessError(
                "otlp-address-unusable", where=Option("otlp"), address=wanted.listen, reason=error.strerror
            ) from error
        yield Traces(None, None, [message("otlp-port-taken", port=PORT, reason=error.strerror, option=Option("otlp"))])
        return
    try:
        yield Traces(receiver, Tracing(receiver.url, wanted.instrument), [])
    finally:
        receiver.close()


def _listen(plan: RunPlan, wanted: TraceSampling, folder: RunFolder) -> OtlpReceiver:
    if wanted.listen is None:
        # A target that runs already sends to the port that it knows.
        return OtlpReceiver(folder.spans, _LOOPBACK, PORT if plan.target.kind == "attached" else 0)
    host, port = split_address(wanted.listen, "otlp", default=PORT)
    try:
        host = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except UnicodeError as error:
        raise OSError(0, str(error)) from error
    return OtlpReceiver(folder.spans, host, port)
