"""``harness worker``: load workers of this machine for a master elsewhere, for one run.

It asks to join, lays down what the master sends in a private temporary folder, sees whether the scenario can be
imported here, starts the workers, and stays with them: it tells the master when one has died, and ends them when the
master is gone. The folder and the processes are gone when it ends, however that comes but by SIGKILL (which ends the
processes too).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq
from zmq.utils.monitor import recv_monitor_message

from harness.cluster import messages
from harness.cluster.join_reply import JoinAccepted, plan_file, scenario_folder
from harness.cluster.join_request import join_request, pack
from harness.cluster.listen_address import joined
from harness.cluster.secret import VARIABLE, Keys
from harness.cluster.transport import LINGER_MS, address_of, prepare_worker_socket
from harness.control.interrupts import Interrupts
from harness.control.load_processes import ended
from harness.control.user_code import describe_scenario
from harness.engine.process_setup import TARGET_VARIABLE
from harness.errors import ExitCode, HarnessError
from harness.plan.model import RunPlan
from harness.record.redaction import add_secret_names, redacted

WAIT_S = 600.0
"""How long a worker waits for a master that does not listen yet."""
_ANSWER_S = 30.0
_TRIES = 3
"""So often the secret must have been refused: a single connection may fail for other reasons."""
_END_THEMSELVES_S = 1.2
"""How long workers may take to end when the master is gone; then they are killed."""
_POLL_MS = 50
_REFUSALS = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL

Say = Callable[[str], None]


def work(host: str, port: int, *, secret: str, workers: int, say: Say) -> ExitCode:
    """Take part in one run with so many workers; the exit code when it has ended.

    Raises :class:`HarnessError` where there is no master, where it refuses this machine (exit code 2), or where it is
    lost (exit code 4).
    """
    with Interrupts() as interrupts, _Connection(host, port, secret) as master:
        accepted = master.join(workers, say, lambda: interrupts.count > 0)
        if accepted is None:
            return ExitCode.INTERRUPTED
        with tempfile.TemporaryDirectory(prefix="harness-worker-") as name:
            folder = Path(name).resolve()
            plan = accepted.lay_down(folder, joined(host, port))
            add_secret_names(plan.secret_names)
            with contextlib.chdir(scenario_folder(folder)):
                try:
                    _import(plan, lambda: interrupts.count > 0)
                except HarnessError as fault:
                    master.tell_failure(accepted.indexes, fault.message)
                    raise
                for warning in accepted.warnings:
                    say(f"{warning}: this worker may be faster or slower for that")
                numbers = " and ".join(map(str, accepted.indexes))
                target = redacted(accepted.target)
                say(f"joining {plan.scenario.name}, profile {plan.profile}, as worker {numbers}: {target}")
                with _Workers(host, port, secret, folder, accepted.target, accepted.indexes) as children:
                    return _stay(master, children, interrupts, say)


def _import(plan: RunPlan, interrupted: Callable[[], bool]) -> None:
    """See that the scenario can be imported here, in the working folder.

    Raises :class:`HarnessError` where it cannot, ``KeyboardInterrupt`` when interrupted.
    """
    files = ",".join(plan.scenario.locustfiles)
    try:
        describe_scenario(
            files,
            arguments=plan.arguments,
            tags=plan.tags,
            exclude_tags=plan.exclude_tags,
            interrupted=interrupted,
        )
    except HarnessError as fault:
        told = fault.message if fault.where is None else f"{fault.where}: {fault.message}"
        raise HarnessError(
            told.replace(f"{Path.cwd()}/", ""),
            hint="What the scenario imports, but for its own modules, must be installed here; files that it opens are "
            "sent where it names them in a string.",
        ) from fault


class _Connection:
    """To the master, beside those of the workers: who asks to join, and tells of those that cannot tell any more."""

    def __init__(self, host: str, port: int, secret: str) -> None:
        self._shown = joined(host, port)
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as fault:
            raise HarnessError(f"the host {host!r} is not known", where="--master") from fault
        self._name = f"join-{socket.gethostname()}-{secrets.token_hex(8)}"
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        prepare_worker_socket(self._socket, self._name, Keys.derive(secret))
        self._events = self._socket.get_monitor_socket()
        self._socket.connect(address_of(host, port))

    def join(self, workers: int, say: Say, interrupted: Callable[[], bool]) -> JoinAccepted | None:
        """What the master answers; None: interrupted. Raises :class:`HarnessError` where it does not let us in."""
        if not self._knock(say, interrupted):
            return None
        self._socket.send(pack(messages.JOIN, join_request(workers), self._name))
        deadline = time.monotonic() + _ANSWER_S
        while time.monotonic() < deadline and not interrupted():
            if not self._socket.poll(_POLL_MS):
                continue
            if (accepted := JoinAccepted.read(self._socket.recv(), self._shown)) is not None:
                return accepted
        if interrupted():
            return None
        raise HarnessError("the master does not answer", where=self._shown, exit_code=ExitCode.BROKEN)

    def _knock(self, say: Say, interrupted: Callable[[], bool]) -> bool:
        """Wait until the master has let us in; False: interrupted."""
        deadline = time.monotonic() + WAIT_S
        refused = 0
        told = False
        while time.monotonic() < deadline and not interrupted():
            if not self._events.poll(_POLL_MS):
                continue
            event = recv_monitor_message(self._events)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return True
            refused += bool(event & _REFUSALS)
            if refused >= _TRIES:
                raise HarnessError(
                    "what listens there does not know this secret, or is no harness",
                    where=self._shown,
                    hint=f"Take the {VARIABLE} that the master shows, or give both the same --secret-file.",
                )
            if event == zmq.EVENT_CLOSED and not refused and not told:
                told = True
                say(f"nothing listens at {self._shown} yet; waiting for it")
        if interrupted():
            return False
        raise HarnessError(f"no master was found within {WAIT_S:.0f} s", where=self._shown, exit_code=ExitCode.BROKEN)

    def is_lost(self) -> bool:
        """Whether the master has gone; what it says meanwhile, to see whether we are there, is taken off."""
        while self._socket.poll(0):
            self._socket.recv()
        lost = False
        while self._events.poll(0):
            lost |= recv_monitor_message(self._events)["event"] == zmq.EVENT_DISCONNECTED
        return lost

    def tell_failure(self, indexes: list[int], words: str) -> None:
        for index in indexes:
            self._socket.send(pack(messages.FAILED, {"index": index, "message": words}, self._name), zmq.NOBLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.destroy(LINGER_MS)  # what is still to be sent has so long


class _Workers:
    """The worker processes; a context manager that ends whatever still runs. Made in the main thread only."""

    def __init__(self, host: str, port: int, secret: str, folder: Path, target: str, indexes: list[int]) -> None:
        environment = os.environ | {VARIABLE: secret, TARGET_VARIABLE: target}
        module = [sys.executable, "-P", "-m", "harness.quick_start", "harness.engine.worker"]
        command = [*module, "--master", host, str(port), "--plan", str(plan_file(folder))]
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self._logs = {index: folder / f"worker-{index}.log" for index in indexes}
        for index in indexes:
            with self._logs[index].open("ab") as log:
                self.running[index] = subprocess.Popen(
                    [*command, "--index", str(index), "--parent", str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                )

    def take_ended(self) -> dict[int, str | None]:
        """Those that have ended since the last call, with how, as a person reads it; None: as they should."""
        over = {index: code for index, child in self.running.items() if (code := child.poll()) is not None}
        for index in over:
            del self.running[index]
        return {index: ended(code, self._logs[index]) if code else None for index, code in over.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self.running.values():
            if child.poll() is None:
                # With whatever the scenario has started there.
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def _stay(master: _Connection, workers: _Workers, interrupts: Interrupts, say: Say) -> ExitCode:
    """Until the workers have ended, the master is gone, or somebody wants this machine back."""
    failed: list[str] = []
    lost_at: float | None = None
    while workers.running:
        time.sleep(_POLL_MS / 1000)
        if interrupts.count:
            say("interrupted: leaving the run, which goes on without this machine")
            master.tell_failure(list(workers.running), "it was interrupted where it ran")
            return ExitCode.INTERRUPTED
        if master.is_lost() and lost_at is None:
            lost_at = time.monotonic()
        if lost_at is not None and time.monotonic() - lost_at > _END_THEMSELVES_S:
            break
        for index, how in workers.take_ended().items():
            if how is not None and lost_at is None:
                master.tell_failure([index], how)
                say(f"worker {index}: {how}")
            failed += [how] if how is not None else []
    if lost_at is not None and (workers.running or failed):
        raise HarnessError(
            "the master is gone, so its workers have ended; requests under way were cut off", exit_code=ExitCode.BROKEN
        )
    if failed:
        raise HarnessError(failed[0], hint="The master knows of it.", exit_code=ExitCode.BROKEN)
    say("the run has ended")
    return ExitCode.PASS
