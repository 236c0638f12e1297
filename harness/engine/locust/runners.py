"""Locust's master and worker runners, changed in four ways.

- **The connection shows who is there** (``harness.cluster.transport``), not the count of heartbeats: a worker whose
  event loop blocks is slow, and one whose connection is lost is lost at once.
- **Heartbeats carry the clock**: a worker's says when it was sent, the master's reply when it was received and
  sent back.
- **A message that cannot be understood** is logged and dropped; it would end Locust's listeners.
- **A scenario that stops or quits its runner** ends the whole run in order, as it does in Locust alone.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast

import gevent
import zmq
from gevent import GreenletExit
from gevent.event import Event
from locust.env import Environment
from locust.rpc import Message as LocustMessage
from locust.runners import STATE_MISSING, STATE_STOPPED, MasterRunner, WorkerRunner
from zmq.utils.monitor import parse_monitor_message

from harness.cluster import messages
from harness.cluster.clock import MasterClock, Reading
from harness.engine.locust.listeners import exit_code_of
from harness.engine.locust.secure_sockets import WorkerSocket
from harness.messages import Message, message

HEARTBEAT_S = 5.0
"""Often enough for the clock, which drifts by microseconds in this time."""
_REPLY_S = 1.0
_WATCH_S = 0.5
_QUIET_S = 1.5
"""After this time without a message, the connection to a worker is checked: a report is overdue."""
_TURN_S = 0.01
"""How long the master handles messages before it yields to other greenlets."""
_LAST_WORDS_S = 0.5
"""Time for the workers' last reports when the run is over."""
STUCK_S = 30.0
"""A worker that has sent nothing for this long is lost, even if its machine responds."""

logger = logging.getLogger(__name__)


class LoadMasterRunner(MasterRunner):
    """The master's runner. Set the callbacks before the first worker joins."""

    def __init__(self, environment: Environment, host: str, port: int) -> None:
        self._heard: dict[str, float] = {}
        self.ending = False
        """Set when the run is over: from then on, the harness itself calls ``stop`` and ``quit``."""
        self.on_lost: Callable[[str, Message], None] = _nothing
        """Called with the id of a lost worker and the reason."""
        self.on_clock: Callable[[str, float, float], None] = _nothing
        """Called with a worker's id, the error of its run clock and the bound of that, in ms."""
        self.on_quit: Callable[[], None] = _nothing
        """Called when the scenario stops or quits the runner."""
        self.has_quit = False
        """Whether the scenario has done so, perhaps in an ``init`` listener, before anyone can be called."""
        self.on_report: Callable[[str, Any], None] = _nothing
        """Called with a worker's id and its report of a second."""
        super().__init__(environment, host, port)

    def is_there(self, client_id: str) -> bool:
        """Whether the peer is connected; sends it something to find out."""
        return bool(self.server.send_to_client(LocustMessage("heartbeat", None, client_id)))

    def share_users(self, targets: Mapping[str, int]) -> None:
        """Give every target's workers (by id) the users that Locust distributes among those of the first."""
        groups = [[worker for worker in targets if targets[worker] == target] for target in set(targets.values())]
        twins = {worker: others for worker, *others in zip(*groups, strict=True)}
        nodes = [self.clients[worker] for worker in twins]
        self._users_dispatcher = self.environment.dispatcher_class(nodes, self.user_classes)
        send = self.server.send_to_client

        def send_to_all(msg: LocustMessage) -> Any:
            for twin in twins.get(msg.node_id, []) if msg.type == "spawn" else []:
                send(LocustMessage(msg.type, msg.data, twin))
            return send(msg)

        setattr(self.server, "send_to_client", send_to_all)  # noqa: B010  (a method, which mypy keeps from being assigned)

    def forget_users_of(self, client_id: str) -> None:
        """Forget a lost worker; the next ``start`` distributes its users among the others."""
        client = self.clients.get(client_id)
        if client is None:
            return
        client.state = STATE_MISSING
        client.user_classes_count = {}
        if self._users_dispatcher is not None:
            self._users_dispatcher.remove_worker(client)

    @property
    def preparing_test(self) -> bool:
        """Whether a worker has not run the scenario's ``test_start`` yet."""
        return bool(self.clients.ready or self.clients.spawning)

    def mark_stopped(self) -> None:
        """Show listeners of ``test_stop`` that no user runs any more."""
        self.update_state(STATE_STOPPED)

    def heartbeat_worker(self) -> NoReturn:
        """Check workers that send nothing (replaces Locust's count of heartbeats)."""
        while True:
            gevent.sleep(_WATCH_S)
            now_s = time.perf_counter()
            for client in list(self.clients.all):
                quiet_s = now_s - self._heard.get(client.id, now_s)
                if client.state == STATE_MISSING or quiet_s < _QUIET_S:
                    continue
                if not self.is_there(client.id):
                    self.on_lost(client.id, message("worker-disconnected"))
                elif quiet_s > STUCK_S:
                    self.on_lost(client.id, message("worker-silent", quiet_s=quiet_s))

    def client_listener(self) -> NoReturn:
        turn_s = time.perf_counter()
        while True:
            self.handle_message(*self.server.recv_from_client())
            # If more messages arrive than can be handled, the socket never waits: the phases must still proceed.
            if time.perf_counter() - turn_s > _TURN_S:
                gevent.sleep(0)
                turn_s = time.perf_counter()

    def handle_message(self, client_id: str, msg: LocustMessage) -> None:
        self._heard[client_id] = time.perf_counter()
        try:
            if msg.type == messages.SECOND:
                # Bypasses Locust, which searches all workers after each message: a thousand arrive each second.
                self.on_report(client_id, msg.data)
            elif msg.type == "heartbeat":
                self._on_heartbeat(client_id, msg.data)
            elif msg.type in ("quit", "client_stopped") and not self.ending:
                # Locust would silently forget it and, after the last one, end the run as if that were intended.
                self.on_lost(client_id, message("worker-left"))
            else:
                super().handle_message(client_id, msg)
        except Exception:  # malformed in an unforeseen way: drop the message, not the run
            logger.exception("dropped message %s of worker %s, which cannot be understood", msg.type, client_id)

    def _on_heartbeat(self, client_id: str, data: dict[str, Any]) -> None:
        asked_s = self._heard[client_id]
        client = self.clients.get(client_id)
        if client is None:
            return
        if client.state != STATE_MISSING:
            client.state = data["state"]
        client.cpu_usage, client.memory_usage = data["current_cpu_usage"], data["current_memory_usage"]
        self.environment.events.heartbeat_sent.fire(client_id=client_id, timestamp=time.time())
        reply = {"sent": data["sent"], "asked": asked_s, "replied": time.perf_counter()}
        self.server.send_to_client(LocustMessage("heartbeat", reply, client_id))
        if data["clock_ms"] is not None:
            self.on_clock(client_id, *data["clock_ms"])

    def stop(self, send_stop_to_client: bool = True) -> None:
        if self.ending:
            super().stop(send_stop_to_client)
        else:
            self.has_quit = True
            self.on_quit()

    def quit(self) -> None:
        if not self.ending:
            self.stop()
            return
        super().stop(send_stop_to_client=False)
        for worker in self.clients.all:
            self.server.send_to_client(LocustMessage("quit", None, worker.id))
        # A worker's "quit", after its last report, removes it from the list. (Locust always waits the whole time.)
        deadline = time.monotonic() + _LAST_WORDS_S
        while any(worker.state != STATE_MISSING for worker in self.clients.all) and time.monotonic() < deadline:
            gevent.sleep(_TURN_S)
        self.greenlet.kill(block=True)


class LoadWorkerRunner(WorkerRunner):
    """A worker's runner. ``clock`` follows the master's clock from its first reply on."""

    def __init__(self, environment: Environment, host: str, port: int) -> None:
        self.clock = MasterClock()
        self.ending = False
        """Set when the run is over: from then on, the scenario cannot end it any more."""
        self.on_clock_reply: Callable[[], None] = _nothing
        """Called after each reply of the master with its clock."""
        self.on_lost: Callable[[], None] = _nothing
        """Called when the connection to the master is lost."""
        self.clock_ms: tuple[float, float] | None = None
        """The error of this worker's clock and its bound, in ms, for the next heartbeat; None: nothing to report."""
        self.keeps_host = False
        """Whether it has its own host, because the master knows only that of the other build."""
        self._host = environment.host
        self._replied = Event()
        self.is_connected = Event()
        """Set while connected to the master."""
        super().__init__(environment, host, port)
        self.is_connected.set()
        self.greenlet.spawn(self._watch_connection)

    def align(self, rounds: int) -> bool:
        """Ask for the master's clock ``rounds`` times and set the clock by it; False: no reply came."""
        replies = 0
        for _ in range(rounds):
            self._replied.clear()
            self._beat()
            replies += bool(self._replied.wait(_REPLY_S))
        if replies:
            self.clock.set(time.perf_counter())
        return bool(replies)

    def heartbeat(self) -> NoReturn:
        while True:
            gevent.sleep(HEARTBEAT_S)
            self._beat()

    def heartbeat_timeout_checker(self) -> NoReturn:
        """Not needed: the connection knows sooner, and Locust uses a clock that may be adjusted."""
        raise GreenletExit

    def _beat(self) -> None:
        beat = {
            "state": self.worker_state,
            "current_cpu_usage": self.current_cpu_usage,
            "current_memory_usage": self.current_memory_usage,
            "clock_ms": self.clock_ms,
            "sent": time.perf_counter(),
        }
        self.clock_ms = None
        self.client.send(LocustMessage("heartbeat", beat, self.client_id))

    def worker(self) -> NoReturn:
        self.last_received_spawn_timestamp = 0
        while True:
            msg = self.client.recv()
            try:
                self.handle_message(msg)
            except Exception:  # a listener of the scenario may raise anything; the next message still counts
                logger.exception("message %s of the master could not be handled", msg.type)

    def handle_message(self, msg: LocustMessage) -> None:
        received_s = time.perf_counter()
        if msg.type == "quit":
            logger.info("the run is over")
            self.ending = True
            self.end_users()
            self._send_stats()
            self.greenlet.kill(block=True)
            return
        if msg.type == "spawn" and self.keeps_host:
            msg.data["host"] = self._host
        super().handle_message(msg)
        if msg.type == "heartbeat" and msg.data is not None:
            data = msg.data
            self.clock.add(Reading.of(data["sent"], data["asked"], data["replied"], received_s))
            self._replied.set()
            self.on_clock_reply()

    def _watch_connection(self) -> None:
        socket = cast(WorkerSocket, self.client)
        while True:
            event = parse_monitor_message(socket.events.recv_multipart())["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.is_connected.set()
            elif self.is_connected.is_set():
                self.is_connected.clear()
                if not self.ending:
                    gevent.spawn(self.on_lost)

    def begin_ending(self) -> None:
        """The run is over. A spawn message that still comes, of a ramp or a lost worker's, is out of date from here."""
        self.last_received_spawn_timestamp = sys.maxsize
        self.ending = True

    def send_last_stats(self) -> None:
        """Send what the scenario's own ``report_to_master`` listeners still have for the master."""
        self._send_stats()

    def end_users(self) -> None:
        """Stop all users, as Locust's ``stop`` does."""
        super().stop()

    def stop(self) -> None:
        """The scenario stopped its runner: ask the master to end the whole run."""
        if not self.ending:
            self.send_message(messages.QUIT, {"exit_code": exit_code_of(self.environment)})

    def quit(self) -> None:
        self.stop()


def _nothing(*_: Any) -> None:
    """The default of callbacks."""
