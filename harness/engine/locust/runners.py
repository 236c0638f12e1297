"""Locust's master and worker runner, where the harness needs them otherwise.

- **Who is there** is told by the connection (``harness.cluster.transport``), not by counting heartbeats: a worker
  whose event loop stands still is slow, and one whose connection is gone is lost at once.
- **Heartbeats carry the clock**: a worker's says when it asked, the master's answer when it was asked and answered.
- **A message that cannot be understood** is logged and dropped; Locust's listeners would end with it.
- **A scenario that stops or quits its runner** ends the whole run in order, as it does where Locust runs alone.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
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
from harness.engine.locust.secure_sockets import WorkerSocket
from harness.errors import Message, message

HEARTBEAT_S = 5.0
"""They carry the clock, and clocks drift by microseconds in this time; who is there is told by the connection."""
_ANSWER_S = 1.0
_WATCH_S = 0.5
_QUIET_S = 1.5
"""A worker that was silent for so long is looked for: its report of the last second should have come."""
_TURN_S = 0.01
"""So long the master follows messages without letting others have a turn."""
_LAST_WORDS_S = 0.5
"""When the run is over, workers have so long for their last report and their leave."""
STUCK_S = 30.0
"""A worker whose machine answers but that has said nothing for so long will not come back to this run."""

logger = logging.getLogger(__name__)


class LoadMasterRunner(MasterRunner):
    """The master's. Set the callbacks before the first worker joins."""

    def __init__(self, environment: Environment, host: str, port: int) -> None:
        self._heard: dict[str, float] = {}
        self.ending = False
        """Set when the run is over: from then on ``stop`` and ``quit`` are the harness's own."""
        self.on_lost: Callable[[str, Message], None] = _nothing
        """Called with a worker's id and what happened to it."""
        self.on_clock: Callable[[str, float, float], None] = _nothing
        """Called with a worker's id, how far its run clock is off and the bound of that, in ms."""
        self.on_quit: Callable[[], None] = _nothing
        """Called when the scenario stops or quits the runner."""
        self.on_report: Callable[[str, Any], None] = _nothing
        """Called with a worker's id and its report of a second."""
        super().__init__(environment, host, port)

    def is_there(self, client_id: str) -> bool:
        """Whether that peer's connection stands, by sending it something."""
        return bool(self.server.send_to_client(LocustMessage("heartbeat", None, client_id)))

    def forget_users_of(self, client_id: str) -> None:
        """Count no more on a worker that was lost; its users are for the others, with the next ``start``."""
        client = self.clients.get(client_id)
        if client is None:
            return
        client.state = STATE_MISSING
        client.user_classes_count = {}
        if self._users_dispatcher is not None:
            self._users_dispatcher.remove_worker(client)

    @property
    def dispatching(self) -> bool:
        """Whether users are being brought to another number: then those of a lost worker are moved by that."""
        return self._users_dispatcher is not None and bool(self._users_dispatcher.dispatch_in_progress)

    @property
    def preparing_test(self) -> bool:
        """Whether a worker has not run the scenario's ``test_start`` yet."""
        return bool(self.clients.ready or self.clients.spawning)

    def mark_stopped(self) -> None:
        """Show listeners of ``test_stop`` that no user runs any more."""
        self.update_state(STATE_STOPPED)

    def heartbeat_worker(self) -> NoReturn:
        """Look for workers that have fallen silent (in the place of Locust's count of heartbeats)."""
        while True:
            gevent.sleep(_WATCH_S)
            now_s = time.perf_counter()
            for client in list(self.clients.all):
                quiet_s = now_s - self._heard.get(client.id, now_s)
                if client.state == STATE_MISSING or quiet_s < _QUIET_S:
                    continue
                if not self.is_there(client.id):
                    self.on_lost(client.id, message("worker-disconnected", "its connection was lost"))
                elif quiet_s > STUCK_S:
                    self.on_lost(
                        client.id,
                        message(
                            "worker-silent",
                            "it has sent nothing for {quiet_s:.0f} s, though its machine responds",
                            quiet_s=quiet_s,
                        ),
                    )

    def client_listener(self) -> NoReturn:
        turn_s = time.perf_counter()
        while True:
            self.handle_message(*self.server.recv_from_client())
            # A socket with more messages than can be followed never waits: the clock of the phases must still go on.
            if time.perf_counter() - turn_s > _TURN_S:
                gevent.sleep(0)
                turn_s = time.perf_counter()

    def handle_message(self, client_id: str, msg: LocustMessage) -> None:
        self._heard[client_id] = time.perf_counter()
        try:
            if msg.type == messages.SECOND:
                # Past Locust, which looks through all workers after each message: a thousand come in a second.
                self.on_report(client_id, msg.data)
            elif msg.type == "heartbeat":
                self._on_heartbeat(client_id, msg.data)
            elif msg.type in ("quit", "client_stopped") and not self.ending:
                # Locust would forget it without a word, and with the last one end the run as if that had been wanted.
                self.on_lost(client_id, message("worker-left", "it left the run"))
            else:
                super().handle_message(client_id, msg)
        except Exception:  # malformed in a way nobody foresaw: the message is lost, the run is not
            logger.exception("the message %s of worker %s cannot be understood and is dropped", msg.type, client_id)

    def _on_heartbeat(self, client_id: str, data: dict[str, Any]) -> None:
        asked_s = self._heard[client_id]
        client = self.clients.get(client_id)
        if client is None:
            return
        if client.state != STATE_MISSING:
            client.state = data["state"]
        client.cpu_usage, client.memory_usage = data["current_cpu_usage"], data["current_memory_usage"]
        self.environment.events.heartbeat_sent.fire(client_id=client_id, timestamp=time.time())
        answer = {"sent": data["sent"], "asked": asked_s, "answered": time.perf_counter()}
        self.server.send_to_client(LocustMessage("heartbeat", answer, client_id))
        if data["clock_ms"] is not None:
            self.on_clock(client_id, *data["clock_ms"])

    def stop(self, send_stop_to_client: bool = True) -> None:
        if self.ending:
            super().stop(send_stop_to_client)
        else:
            self.on_quit()

    def quit(self) -> None:
        if not self.ending:
            self.on_quit()
            return
        super().stop(send_stop_to_client=False)
        for worker in self.clients.all:
            self.server.send_to_client(LocustMessage("quit", None, worker.id))
        # A worker's "quit" takes it off the list, behind its last report. (Locust always waits the whole time.)
        deadline = time.monotonic() + _LAST_WORDS_S
        while any(worker.state != STATE_MISSING for worker in self.clients.all) and time.monotonic() < deadline:
            gevent.sleep(_TURN_S)
        self.greenlet.kill(block=True)


class LoadWorkerRunner(WorkerRunner):
    """A worker's. ``clock`` follows the master's clock from the first answer on."""

    def __init__(self, environment: Environment, host: str, port: int) -> None:
        self.clock = MasterClock()
        self.ending = False
        """Set when the run is over: from then on it need not be ended any more."""
        self.on_answer: Callable[[], None] = _nothing
        """Called after each answer of the master's that tells its clock."""
        self.on_lost: Callable[[], None] = _nothing
        """Called when the connection to the master is gone."""
        self.clock_ms: tuple[float, float] | None = None
        """What the next heartbeat is to tell the master of this worker's clock: how far off, and the bound, in ms."""
        self._answered = Event()
        self.is_connected = Event()
        """Set while the connection stands."""
        super().__init__(environment, host, port)
        self.is_connected.set()
        self.greenlet.spawn(self._watch_connection)

    def align(self, rounds: int) -> bool:
        """Ask for the master's clock so often, one answer after the other, and take it; False: no answer came."""
        answers = 0
        for _ in range(rounds):
            self._answered.clear()
            self._beat()
            answers += bool(self._answered.wait(_ANSWER_S))
        if answers:
            self.clock.set(time.perf_counter())
        return bool(answers)

    def heartbeat(self) -> NoReturn:
        while True:
            gevent.sleep(HEARTBEAT_S)
            self._beat()

    def heartbeat_timeout_checker(self) -> NoReturn:
        """Left to the connection, which knows sooner; Locust's goes by a clock that may be set."""
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
                logger.exception("the message %s of the master could not be followed", msg.type)

    def handle_message(self, msg: LocustMessage) -> None:
        received_s = time.perf_counter()
        if msg.type == "quit":
            logger.info("the run is over")
            self.ending = True
            self.end_users()
            self._send_stats()
            self.greenlet.kill(block=True)
            return
        super().handle_message(msg)
        if msg.type == "heartbeat" and msg.data is not None:
            data = msg.data
            self.clock.add(Reading.of(data["sent"], data["asked"], data["answered"], received_s))
            self._answered.set()
            self.on_answer()

    def _watch_connection(self) -> None:
        link = cast(WorkerSocket, self.client)
        while True:
            event = parse_monitor_message(link.events.recv_multipart())["event"]
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
        """What Locust's ``stop`` does."""
        super().stop()

    def stop(self) -> None:
        """The scenario wants its test to end: here, and so everywhere."""
        if not self.ending:
            self.send_message(messages.QUIT, {})

    def quit(self) -> None:
        self.stop()


def _nothing(*_: Any) -> None:
    """A callback that nobody has set yet."""
