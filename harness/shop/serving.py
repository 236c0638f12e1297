"""What the shop's two processes share: socket, server, start and stop."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from harness.shop.errors import ShopStartError

DRAIN_S = 5
"""How long requests that are in flight may take to finish after a signal to stop."""

KEEP_ALIVE_S = 75
"""Longer than any think time: a connection closed by the server just as a client sends looks like a failure."""

_RESTART_S = 0.5
"""How long a vendor that was killed is away, besides its start."""

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process when its parent (process id ``parent``) ends, however that ends. Linux only.

    Ctrl-C in a terminal reaches parent and child alike; the child leaves it to the parent, which may still need it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)  # it ended before the prctl call


def stop_on_signals() -> None:
    """SIGTERM, and SIGINT unless ignored, end the process by SystemExit(0), so that everything is cleaned up."""
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _stop)


def _stop(signum: int, _frame: FrameType | None) -> None:
    signal.signal(signum, signal.SIG_IGN)  # a second signal must not interrupt the cleanup
    raise SystemExit(0)


def allow_many_files() -> None:
    """As many open files as this process may ask for: a connection is one, and 1,024 are usual until it asks."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A socket bound to ``host:port`` (0: a free port), not yet listening.

    Raises `ShopStartError` where the address is taken or is none of this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ShopStartError(f"--host {host}: {error.strerror}") from error
    with bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except (OSError, OverflowError) as error:
            raise ShopStartError(f"--port {port}: cannot listen on {host}:{port}: {error}") from error
        yield bound


def url_of(bound: socket.socket) -> str:
    """The URL under which ``bound`` is reached."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: ASGIApp, bound: socket.socket, on_ready: Callable[[str], object] = lambda _: None) -> None:
    """Serves ``app`` on ``bound`` until a signal ends it; ``on_ready`` gets the URL once it accepts requests."""
    allow_many_files()
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
    _Server(config, lambda: on_ready(url_of(bound))).run(sockets=[bound])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._ignored = {signal.SIGINT} if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """uvicorn takes over every signal; one that was ignored before stays so."""
        if sig not in self._ignored:
            super().handle_exit(sig, frame)


class PaymentProcess:
    """The payment vendor as a child process, which ends with this one whatever way this one ends.

    If it is killed, it comes back at the same port, with the same ``books``.
    """

    def __init__(self, port: int, books: Path, *, fresh: bool) -> None:
        """``fresh`` drops what an earlier vendor has written there."""
        if fresh:
            for file in books.parent.glob(f"{books.name}*"):
                file.unlink()
        self._books = books
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process = self._start(port, subprocess.PIPE)
        self._watch: threading.Thread | None = None

    def url(self) -> str:
        """The vendor's URL; waits until it listens. Raises `ShopStartError` if it ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        self._process.stdout.close()
        if not line:
            raise ShopStartError(f"the payment vendor did not start (exit code {self._process.wait()})")
        self._watch = threading.Thread(target=self._keep, args=(int(line.rpartition(":")[2]),), daemon=True)
        self._watch.start()
        return line

    def _start(self, port: int, output: int) -> subprocess.Popen[str]:
        options = ["--port", str(port), "--parent", str(os.getpid()), "--books", str(self._books)]
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.shop.payment", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            text=True,
        )

    def _keep(self, port: int) -> None:
        while True:
            self._process.wait()
            if self._stopping.wait(_RESTART_S):
                return
            with self._lock:
                if not self._stopping.is_set():
                    self._process = self._start(port, subprocess.DEVNULL)

    def stop(self) -> None:
        """Ends it and waits until it is gone."""
        with self._lock:
            self._stopping.set()
        self._process.terminate()
        try:
            self._process.wait(DRAIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._watch is not None:
            self._watch.join()
