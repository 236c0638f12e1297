"""Starts and ends the load master and its local workers, as processes that die with the controller."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Self

from harness.cluster.listen_address import ListenAddress
from harness.cluster.secret import key_material, new_key_material
from harness.control.json_lines import JsonLines
from harness.engine.fork_server import MASTER, WORKER, ForkedProcess, ForkServer
from harness.engine.scenario.child_result import one_line
from harness.errors import ExitCode, HarnessError
from harness.messages import Message, Option, message
from harness.messages.signals import signal_name
from harness.plan.model.run import RunPlan
from harness.record.journal_entries import EndReason
from harness.record.redacted_lines import BackgroundRedactedLog
from harness.record.run_folder import RunFolder

_START_TIMEOUT_S = 60.0
_MASTER_ENDS_S = 30.0
_POLL_S = 0.1
_LOGGED = re.compile(r"\S+ \S+ (master|worker-\d+|setup|verify|teardown) ([A-Z]+) ")
"""The beginning of a log line: which process wrote it, and its level."""
_WORKERS_END_S = 3.0
"""Once the master has ended, nothing that a worker sends arrives; one that had not joined would wait in vain."""


class LoadProcesses:
    """The master and its workers, which import what they need until :meth:`begin` sets them to work.

    A context manager that ends whatever still runs. Without ``listen_address`` nobody else can join.
    """

    def __init__(
        self,
        fork_server: ForkServer,
        folder: RunFolder,
        plan: RunPlan,
        listen_address: ListenAddress | None = None,
    ) -> None:
        self._server = fork_server
        self._listen_address = listen_address or ListenAddress()
        keys = new_key_material() if listen_address is None else key_material(listen_address.secret)
        self._log = BackgroundRedactedLog(folder.log)
        self._log_path = folder.log
        self._workers: list[ForkedProcess] = []
        self._failed: set[int] = set()
        self._ended = False
        options = {"plan": plan.model_dump_json(), "keys": keys.hex()}
        listen = {"host": self._listen_address.host, "port": self._listen_address.port}
        run = {"journal": str(folder.journal.resolve()), "run_id": folder.run_id}
        self._scenario = plan.scenario.path
        self._from_master, to_us = os.pipe()
        self._lines = JsonLines(self._from_master)
        try:
            self._master = self._start(MASTER, to_us, **options, **listen, **run)
        finally:
            os.close(to_us)
        try:
            for index in range(plan.workers):
                # What a scenario prints is worth keeping.
                self._workers.append(self._start(WORKER, self._log.writer, index=index, **options))
        except HarnessError:
            self.kill()
            self.end()
            raise

    def _start(self, module: str, stdout: int, **options: object) -> ForkedProcess:
        return self._server.start(module, stdout=stdout, stderr=self._log.writer, **options)

    def begin(
        self,
        urls: list[str],
        interrupted: Callable[[], bool] = lambda: False,
        left_out: Collection[int] = (),
        data: Sequence[Any] = (None,),
        rows: Sequence[str] = (),
        through: Sequence[tuple[str, int] | None] = (None,),
        contract: Mapping[str, Any] | None = None,
    ) -> None:
        """Put load on the plan's targets, which are ready. Others may join the master at ``port`` from now on.

        ``left_out`` are the plan's phases, by index, that are not run; ``data`` is what ``setup`` returned for each
        target, ``rows`` are the files of the feeders' rows; ``through`` are the proxies that lead to the targets, None:
        directly; ``contract`` are the settings of :mod:`harness.contracts.checker`, without its origins.

        Raises :class:`HarnessError` if the master does not start, ``KeyboardInterrupt`` if the user does not wait.
        """
        contract = contract and {**contract, "origins": urls}
        start = {"left_out": [*left_out], "contract": contract, "feeders": rows}
        send_line(self._master, json.dumps(start | {"target": urls[0], "data": data[0]}))
        self.port = self._announced_port(interrupted)
        master = (self._listen_address.local_address(), self.port)
        for worker, url, own, proxy in zip(self._workers, cycle(urls), cycle(data), cycle(through)):
            own_start = {"target": url, "master": master, "data": own, "feeders": rows, "through": proxy}
            send_line(worker, json.dumps(own_start))

    def _announced_port(self, interrupted: Callable[[], bool]) -> int:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self._master.poll() is None and time.monotonic() < deadline:
            for line in self._lines.read(_POLL_S):
                if "error" in line:
                    raise HarnessError("master-cannot-listen", where=Option("bind"), reason=line["error"])
                return int(line["port"])
            if interrupted():
                raise KeyboardInterrupt
        if self._master.poll() is None:
            raise HarnessError(
                "scenario-timeout", where=self._scenario, exit_code=ExitCode.BROKEN, timeout_s=_START_TIMEOUT_S
            )
        raise self.not_started()

    def not_started(self) -> HarnessError:
        """What to raise where the master has ended before it recorded anything."""
        self._log.pump()
        how = describe_exit(self._master.poll() or 0, self._log_path, "master")
        return HarnessError("master-not-started", where=str(self._log_path), exit_code=ExitCode.BROKEN, how=how)

    def news(self) -> list[Message]:
        """The master's messages for the user since the last call. Also tells the master which workers have ended."""
        for index, worker in enumerate(self._workers):
            if index not in self._failed and (code := worker.poll()) is not None:
                self._failed.add(index)
                kill_group(worker)
                self._log.pump()  # its last words are in the log
                reason = describe_exit(code, self._log_path, f"worker-{index}")
                send_line(self._master, f"failed {index} {json.dumps(reason.to_data())}")
        return [Message.from_data(line["say"]) for line in self._lines.read(0.0)]

    def stop(self, reason: EndReason) -> None:
        """Ask the master to end the run in order; ``reason`` goes into the journal. Harmless when it has ended."""
        send_line(self._master, f"stop {reason}")

    def abort(self) -> None:
        """After :meth:`stop`: abort running requests."""
        send_line(self._master, "abort")

    @property
    def running(self) -> bool:
        """Whether the master still runs; it is the last to end in an orderly run."""
        return self._master.poll() is None

    def master_end(self) -> Message | None:
        """How the master ended; None while it runs, and if it ended as it should."""
        code = self._master.poll()
        return message("master-ended", how=describe_exit(code, self._log_path, "master")) if code else None

    def pids(self) -> list[int]:
        """The processes that make the load, for the sampler that watches the generator."""
        return [process.pid for process in (self._master, *self._workers) if process.poll() is None]

    def end(self) -> None:
        """Wait a little for an orderly end, then kill what is left. Harmless when all has ended."""
        if self._ended:
            return
        self._ended = True
        processes = [self._master, *self._workers]
        if self._master.poll():  # it failed: nothing that the workers send is recorded
            self.kill()
        self._master.wait(_MASTER_ENDS_S)
        deadline = time.monotonic() + _WORKERS_END_S
        for worker in self._workers:
            worker.wait(max(0.0, deadline - time.monotonic()))
        self._server.end_strays()
        for process in processes:
            process.wait()
            process.stdin.close()
        os.close(self._from_master)
        self._log.close()

    def kill(self) -> None:
        """End all at once: what was journaled is kept."""
        for process in (self._master, *self._workers):
            process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.kill()
        self.end()


def kill_group(process: ForkedProcess) -> None:
    """Kill what user code has started in a load process that has just ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all have ended, or only another user's is left
        os.killpg(process.pid, signal.SIGKILL)


def send_line(process: ForkedProcess, line: str) -> None:
    """Write a line to the standard input of a process, unless it has ended."""
    left = memoryview(f"{line}\n".encode())
    with contextlib.suppress(BrokenPipeError):
        while left:  # a signal may cut a long write short
            left = left[process.stdin.write(left) :]


def describe_exit(code: int, log: Path, name: str) -> Message:
    """How the load process that logs as ``name`` ended; if it ended with an error, with the line that says why."""
    if code < 0:
        return message("process-killed", signal=signal_name(-code))
    last_line = _last_line(log)
    logged = _LOGGED.match(last_line or "")
    # A line without a name is one that Python writes when it ends.
    if not code or last_line is None or (logged and logged.groups() != (name, "ERROR")):
        return message("process-ended-silently", exit_code=code)
    return message("process-ended", exit_code=code, last_line=one_line(last_line))


def _last_line(log: Path) -> str | None:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else None
