"""``harness worker``: load workers on this machine for one run of a master on another.

It asks to join, writes what the master sends to a private temporary folder, checks that the scenario can be imported
here, starts the workers and supervises them: it tells the master when one has died, and ends them when the master is
lost. When it ends, it removes the folder and the processes. Only SIGKILL leaves the folder behind.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import zmq
from zmq.utils.monitor import recv_monitor_message

from harness.cluster import messages
from harness.cluster.joining import JoinAccepted, join_request, pack, scenario_folder
from harness.cluster.listen_address import format_address
from harness.cluster.secret import VARIABLE, Keys, key_material
from harness.cluster.transport import LINGER_MS, address_of, prepare_worker_socket
from harness.control.feeding import Feeding
from harness.control.interrupts import Interrupts
from harness.control.load_processes import describe_exit, kill_group, send_line
from harness.control.user_code import describe_scenario
from harness.engine.fork_server import WORKER, ForkedProcess, ForkServer
from harness.errors import ExitCode, HarnessError, problems_of
from harness.messages import Message, Option, message
from harness.plan.model.run import RunPlan
from harness.plan.model.scenario import Scenario
from harness.record.redaction import add_secret_names, redacted

WAIT_S = 600.0
"""How long a worker waits for a master that does not listen yet."""
_REPLY_S = 30.0
_TRIES = 3
"""Rejections before the secret is taken to be wrong: a single connection may fail for other reasons."""
_RETRIED_S = 1.0
"""ZeroMQ connects again sooner than this, unless what listens there does not speak its protocol."""
_END_THEMSELVES_S = 1.2
"""How long workers may take to end when the master is gone; then they are killed."""
_POLL_MS = 50
_REFUSALS = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL

Say = Callable[[Message], None]


def work(host: str, port: int, *, secret: str, workers: int, say: Say) -> ExitCode:
    """Take part in one run with this number of workers; the exit code when it has ended.

    Raises :class:`HarnessError` if there is no master, if it rejects this machine (exit code 2), or if the connection
    to it is lost (exit code 4).
    """
    keys = key_material(secret)
    with Interrupts() as interrupts, _Connection(host, port, keys) as master:
        accepted = master.join(workers, say, lambda: interrupts.count > 0)
        if accepted is None:
            return ExitCode.INTERRUPTED
        with tempfile.TemporaryDirectory(prefix="harness-worker-") as name:
            folder = Path(name).resolve()
            plan = accepted.write_to(folder, format_address(host, port))
            add_secret_names(plan.secret_names)
            with (
                contextlib.chdir(scenario_folder(folder)),
                ForkServer() as fork_server,
                contextlib.ExitStack() as around,
            ):
                try:
                    scenario = _import(fork_server, plan, lambda: interrupts.count > 0)
                    feeding = around.enter_context(Feeding(scenario, plan.seed, fork_server, plan.hook_timeout_s))
                    feeding.require(plan.scenario.feeders)
                except HarnessError as error:
                    master.report_failure(accepted.indexes, error.reason())
                    raise
                for difference in accepted.differences():
                    say(difference)
                say(
                    message(
                        "worker-joining",
                        scenario=plan.scenario.name,
                        profile=plan.profile,
                        numbers=[str(index) for index in accepted.indexes],
                        target=redacted(accepted.target),
                    )
                )
                begin = {"target": accepted.target, "master": (host, port)}
                start = json.dumps(begin | {"data": accepted.data, "feeders": feeding.paths})
                with _Workers(fork_server, plan, accepted.indexes, keys, start, folder) as children:
                    return _stay(master, children, interrupts, say)


def _import(fork_server: ForkServer, plan: RunPlan, interrupted: Callable[[], bool]) -> Scenario:
    """The scenario as it is here, in the working folder.

    Raises :class:`HarnessError` if it cannot, ``KeyboardInterrupt`` when interrupted.
    """
    files = ",".join(plan.scenario.locustfiles)
    try:
        return describe_scenario(
            files,
            arguments=plan.arguments,
            tags=plan.tags,
            exclude_tags=plan.exclude_tags,
            interrupted=interrupted,
            fork_server=fork_server,
        )
    except HarnessError as error:
        raise HarnessError(
            "scenario-unusable-here", problems=[_located(problem) for problem in problems_of(error)]
        ) from error


def _located(problem: HarnessError) -> Message:
    if problem.where is None:
        return problem.reason()
    location = problem.where.replace(f"{Path.cwd()}/", "")
    return message("located-problem", location=location, problem=problem.reason())


class _Connection:
    """The connection that asks the master to join, and later reports workers that died."""

    def __init__(self, host: str, port: int, keys: bytes) -> None:
        self._address = format_address(host, port)
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise HarnessError("master-host-unknown", where=Option("master", host), host=host) from error
        self._name = f"join-{socket.gethostname()}-{secrets.token_hex(8)}"
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        prepare_worker_socket(self._socket, self._name, Keys.of(keys))
        self._events = self._socket.get_monitor_socket()
        self._socket.connect(address_of(host, port))

    def join(self, workers: int, say: Say, interrupted: Callable[[], bool]) -> JoinAccepted | None:
        """The master's reply; None: interrupted. Raises :class:`HarnessError` if it does not accept this machine."""
        if not self._connect(say, interrupted):
            return None
        self._socket.send(pack(messages.JOIN, join_request(workers), self._name))
        deadline = time.monotonic() + _REPLY_S
        while time.monotonic() < deadline and not interrupted():
            if not self._socket.poll(_POLL_MS):
                continue
            if (accepted := JoinAccepted.read(self._socket.recv(), self._address)) is not None:
                return accepted
        if interrupted():
            return None
        raise HarnessError("master-silent", where=self._address, exit_code=ExitCode.BROKEN)

    def _connect(self, say: Say, interrupted: Callable[[], bool]) -> bool:
        """Wait for the handshake with the master; False: interrupted."""
        deadline = time.monotonic() + WAIT_S
        refused = 0
        waiting = False
        event, at_s = 0, 0.0
        while time.monotonic() < deadline and not interrupted():
            given_up = event == zmq.EVENT_DISCONNECTED and time.monotonic() > at_s + _RETRIED_S
            if not given_up and not self._events.poll(_POLL_MS):
                continue
            if not given_up:
                event, at_s = recv_monitor_message(self._events)["event"], time.monotonic()
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return True
            refused += bool(event & _REFUSALS)
            if given_up or refused >= _TRIES:
                raise HarnessError(
                    "secret-rejected", where=self._address, variable=VARIABLE, option=Option("secret_file")
                )
            if event == zmq.EVENT_CLOSED and not refused and not waiting:
                waiting = True
                say(message("master-awaited", address=self._address))
        if interrupted():
            return False
        raise HarnessError("master-not-found", where=self._address, exit_code=ExitCode.BROKEN, wait_s=WAIT_S)

    def is_lost(self) -> bool:
        """Whether the connection was lost. Messages by which the master checks the connection are discarded."""
        while self._socket.poll(0):
            self._socket.recv()
        lost = False
        while self._events.poll(0):
            lost |= recv_monitor_message(self._events)["event"] == zmq.EVENT_DISCONNECTED
        return lost

    def report_failure(self, indexes: list[int], reason: Message) -> None:
        """Tell the master that these workers have ended before their time."""
        for index in indexes:
            data = {"index": index, "reason": reason.to_data()}
            self._socket.send(pack(messages.FAILED, data, self._name), zmq.NOBLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(LINGER_MS)  # time for what is still to be sent


class _Workers:
    """The worker processes; a context manager that ends whatever still runs."""

    def __init__(
        self, fork_server: ForkServer, plan: RunPlan, indexes: list[int], keys: bytes, start: str, folder: Path
    ) -> None:
        """``start`` is the line that sets a worker to work; logs go to ``folder``."""
        self._server = fork_server
        self.running: dict[int, ForkedProcess] = {}
        self._logs = {index: folder / f"worker-{index}.log" for index in indexes}
        for index in indexes:
            with self._logs[index].open("ab") as log:
                self.running[index] = fork_server.start(
                    WORKER,
                    stdout=log.fileno(),
                    stderr=log.fileno(),
                    index=index,
                    plan=plan.model_dump_json(),
                    keys=keys.hex(),
                )
            send_line(self.running[index], start)

    def take_ended(self) -> dict[int, Message | None]:
        """The workers that have ended since the last call, and how; None: as they should."""
        over = {index: code for index, child in self.running.items() if (code := child.poll()) is not None}
        for index in over:
            kill_group(self.running.pop(index))
        return {
            index: describe_exit(code, self._logs[index], f"worker-{index}") if code else None
            for index, code in over.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.end_strays()
        for child in self.running.values():
            child.wait()


def _stay(master: _Connection, workers: _Workers, interrupts: Interrupts, say: Say) -> ExitCode:
    """Wait until the workers have ended, the master is lost, or the user interrupts."""
    failed: list[Message] = []
    lost_at: float | None = None
    while workers.running:
        time.sleep(_POLL_MS / 1000)
        if interrupts.count:
            say(message("worker-interrupted"))
            reason = message("worker-interrupted-there")
            master.report_failure(list(workers.running), reason)
            return ExitCode.INTERRUPTED
        if master.is_lost() and lost_at is None:
            lost_at = time.monotonic()
        if lost_at is not None and time.monotonic() - lost_at > _END_THEMSELVES_S:
            break
        for index, how in workers.take_ended().items():
            if how is not None and lost_at is None:
                master.report_failure([index], how)
                say(message("worker-ended", worker=index, reason=how))
            failed += [how] if how is not None else []
    if lost_at is not None and (workers.running or failed):
        raise HarnessError("master-lost", exit_code=ExitCode.BROKEN)
    if failed:
        raise HarnessError("worker-failed", exit_code=ExitCode.BROKEN, reason=failed[0])
    say(message("run-ended"))
    return ExitCode.PASS
