"""The load master's side of the process that checks responses (``harness.contracts.checker``).

The master never waits for it while the load runs: what it is too slow for is dropped and counted.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import gevent
import msgpack
from gevent.queue import Full, Queue

from harness.record.sampled_responses import CHECKER_READY

_MOST_WAITING = 32
"""Batches. A worker sends one a second."""
_READY_S = 60.0
"""To read a document of many megabytes and compile its schemas."""
_ENDS_S = 10.0
"""What is left when the load has ended."""

logger = logging.getLogger(__name__)


class ContractChecker:
    """Starts the process; ``settings`` are those of its ``main``."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.quick_start", "harness.contracts.checker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at the terminal is for the harness to handle
        )
        self._waiting: Queue[bytes | None] = Queue(_MOST_WAITING)
        self._lost: Counter[str] = Counter()
        self._waiting.put(msgpack.packb(settings))
        self._sender = gevent.spawn(self._send)

    def wait_until_ready(self) -> None:
        """Wait until it can check, because reading the document during the load would take time from the load."""
        assert self._process.stdout is not None
        ready = gevent.spawn(self._process.stdout.readline)
        ready.join(_READY_S)
        if ready.value != CHECKER_READY:
            logger.error("the process that checks responses did not start")

    def check(self, responses: Sequence[Sequence[Any]], skipped: Mapping[str, int]) -> None:
        """Have these responses checked. Returns at once."""
        self._lost.update(skipped)
        if not responses and not self._lost:
            return
        try:
            self._waiting.put_nowait(msgpack.packb([responses, self._lost]))
        except Full:
            self._lost["checker"] += len(responses)
        else:
            self._lost = Counter()

    def close(self) -> None:
        """Wait until all has been checked, but not for long."""
        gevent.spawn(self._end).join(_ENDS_S)
        if self._process.poll() is None:
            logger.error("the process that checks responses was too slow, and was ended")
            self._process.kill()
            self._process.wait()

    def _end(self) -> None:
        if self._lost:
            self._waiting.put(msgpack.packb([[], self._lost]))
        self._waiting.put(None)
        self._sender.join()
        self._process.wait()

    def _send(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            while (batch := self._waiting.get()) is not None:
                pipe.write(batch)
                pipe.flush()
            pipe.close()
        except OSError as error:
            logger.error("the process that checks responses has ended: %s", error)
            while self._waiting.get() is not None:
                pass
