"""Checks responses in a child process with limits of CPU time and memory for each response.

``anyOf`` within ``anyOf`` over a deep value can double the time and memory at each level, and a schema that refers to
itself can exhaust the stack. A running validator can be stopped only by ending its process. So a child checks, forked
after all schemas were compiled. The kernel kills it if it exceeds its CPU time for a response (``ITIMER_PROF``, so that
a busy machine does not matter) or its memory (``RLIMIT_AS``), and another child continues with the next response. A
child that takes neither, as it waits for a lock that nobody holds any more, is killed here.
"""

from __future__ import annotations

import faulthandler
import mmap
import os
import resource
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import psutil

from harness.contracts.checks import Checked, Contract
from harness.prctl import die_with_parent
from harness.record.sampled_responses import SampledResponse

CPU_S = 2.0
"""For one response. A check takes some microseconds, of a body of 1 MiB some tens of milliseconds."""
STUCK_S = 60.0
"""A child that checks one response for this long has not used its CPU time, and will not end by itself."""
MEMORY = 512 << 20
"""Bytes that checks may take, besides those of the schemas."""
MOST_GIVEN_UP = 3
"""So often is an operation tried whose checks are given up: a response may have been the reason, or the document."""
_FORK = get_context("fork")
_NO_MEMORY = 3
"""An exit code."""


class LimitedContract:
    """A contract whose checks are aborted if they take too much time or memory."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._given_up: Counter[str] = Counter()
        """Checks, by operation."""
        self._at = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
        """Its first number, which the child shares: the response of the batch that it checks."""
        self._child, self._pipe = self._forked()

    def check(self, responses: Sequence[SampledResponse]) -> list[Checked]:
        """What is wrong with each response."""
        operations = [self.contract.operations.find(response.method, response.url) for response in responses]
        found: dict[int, Checked] = {}
        while len(found) < len(responses):
            left = [number for number in range(len(responses)) if number not in found]
            spared = [number for number in left if self._given_up[str(operations[number])] >= MOST_GIVEN_UP]
            found |= {number: Checked(None, skipped="limit") for number in spared}
            asked = [number for number in left if number not in found]
            try:
                found |= zip(asked, self._asked([responses[number] for number in asked]), strict=True)
            except (EOFError, OSError):
                number = asked[self._at[0]]
                self._given_up[str(operations[number])] += 1
                found[number] = self._gave_up()
        return [replace(found[number], operation=operation) for number, operation in enumerate(operations)]

    def close(self) -> None:
        """End the child."""
        self._pipe.close()
        self._child.join(STUCK_S)
        self._child.kill()
        self._child.join()

    def _asked(self, responses: Sequence[SampledResponse]) -> list[Checked]:
        """What the child finds. Raises ``EOFError`` or ``OSError`` if it ends meanwhile."""
        self._at[0] = 0
        self._pipe.send(responses)
        at = -1
        while not self._pipe.poll(STUCK_S):
            if self._at[0] == at and self._child.pid is not None:
                os.kill(self._child.pid, signal.SIGPROF)
            at = self._at[0]
        found: list[Checked] = self._pipe.recv()
        return found

    def _gave_up(self) -> Checked:
        """Why the child has ended. Starts the next one."""
        self.close()
        why = {-signal.SIGPROF: "time", -signal.SIGABRT: "memory", _NO_MEMORY: "memory"}
        found = Checked(None, skipped="limit", given_up=why.get(self._child.exitcode or 0, "crash"))
        self._child, self._pipe = self._forked()
        return found

    def _forked(self) -> tuple[BaseProcess, Connection]:
        ours, its = _FORK.Pipe()
        child = _FORK.Process(target=self._run, args=(ours, its), daemon=True)
        child.start()
        its.close()
        return child, ours

    def _run(self, parents: Connection, pipe: Connection) -> None:
        die_with_parent()
        parents.close()  # so that the child sees its end
        faulthandler.disable()  # its end says enough
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        most = psutil.Process().memory_info().vms + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            while True:
                pipe.send([self._checked(number, response) for number, response in enumerate(pipe.recv())])
                signal.setitimer(signal.ITIMER_PROF, 0)
        except (EOFError, OSError):
            os._exit(0)
        except MemoryError:
            os._exit(_NO_MEMORY)

    def _checked(self, number: int, response: SampledResponse) -> Checked:
        """Without its operation, which the parent knows."""
        self._at[0] = number
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        try:
            found = self.contract.check(response)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001  (a hostile response must cost no other its check)
            return Checked(None, skipped="limit", given_up="crash")
        found.operation = None
        return found
