"""Is the target there? Free ports, readiness, and which addresses load may be sent to."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import quote, urlsplit

from harness.errors import ExitCode, HarnessError
from harness.plan.hosts import setting_to_allow
from harness.plan.model import AllowedHost

LOOPBACK = "127.0.0.1"
_POLL_S = 0.05
_ANSWER_TIMEOUT_S = 5.0
_NOTHING = "nothing listened"
_PATH_SAFE = "!#$%&'()*+,/:;=?@[]~"
"""As it stands in a URL: only what no request line holds (spaces, letters beyond ASCII) is written as ``%C3%BC``."""


def free_port() -> int:
    """A loopback port nobody listens on at this moment; another process may take it before the caller does."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def is_taken(port: int) -> bool:
    """Whether somebody holds loopback ``port``."""
    with socket.socket() as probe:
        # as servers do: a port that is only in TIME_WAIT is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def wait_until_ready(port: int, path: str, timeout_s: float, is_alive: Callable[[], bool]) -> str | None:
    """Ask ``GET path`` until it answers 2xx. None when it did; else what was seen last.

    Ends early when ``is_alive`` turns false.
    """
    deadline = time.monotonic() + timeout_s
    seen = _NOTHING
    while is_alive() and (left_s := deadline - time.monotonic()) > 0:
        try:
            status, reason = _ask(port, path, min(_ANSWER_TIMEOUT_S, left_s))
            if 200 <= status < 300:
                return None
            seen = f"it answered {status} {reason}".rstrip()
        except ConnectionRefusedError:
            pass  # not listening yet: what was seen before still holds
        except TimeoutError:
            # One that our own end cut short says less than an answer before it.
            if seen == _NOTHING or left_s >= _ANSWER_TIMEOUT_S:
                seen = "it accepted the connection, but did not answer"
        except (OSError, http.client.HTTPException) as error:
            seen = f"no HTTP answer ({error or type(error).__name__})"
        time.sleep(_POLL_S)
    return seen


def _ask(port: int, path: str, timeout_s: float) -> tuple[int, str]:
    """Status and reason that ``GET path`` answers. The body is left unread: it may have no end.

    Raises ``TimeoutError``, ``OSError`` or ``HTTPException`` where there is no such answer.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    connection.connect()
    channel: socket.socket = connection.sock
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with contextlib.suppress(OSError):  # the answer came just now, and the connection is closed
            channel.shutdown(socket.SHUT_RDWR)

    # The socket's own timeout is for each piece that comes, and a header may come byte by byte.
    bell = threading.Timer(timeout_s, hang_up)
    bell.start()
    try:
        connection.request("GET", quote(path, safe=_PATH_SAFE), headers={"Connection": "close"})
        with connection.getresponse() as response:
            if late.is_set():
                raise TimeoutError  # what was read ends where we hung up
            return response.status, response.reason
    except (OSError, http.client.HTTPException) as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        bell.cancel()
        bell.join()
        connection.close()


def require_allowed(url: str, *, allowed: bool = False, known: Sequence[AllowedHost] = ()) -> tuple[str, int]:
    """Host and port of ``url``; ``known`` are the hosts that the user has allowed so far.

    Raises :class:`HarnessError` where it is no HTTP URL, or leads beyond this machine and is not ``allowed`` to.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _no_url(url) from error
    if parts.scheme not in {"http", "https"} or not host:
        raise _no_url(url)
    port = port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # no name of the Internet: a part of it is too long
        raise _no_url(url) from error
    except OSError as error:
        raise HarnessError(
            f"the host {host!r} is not known: {error.strerror or error}", where=url, exit_code=ExitCode.BROKEN
        ) from error
    if not allowed and not all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found):
        raise HarnessError(
            f"load is only sent to this machine, and {host!r} is another one",
            where=url,
            hint=f"If {host} is yours to load, {setting_to_allow(host, known)}; for this run alone: "
            f"--allow-host {host}",
        )
    return host, port


def require_listener(url: str, host: str, port: int) -> None:
    """Raises :class:`HarnessError` (exit code 4) where nobody accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=_ANSWER_TIMEOUT_S).close()
    except OSError as error:
        raise HarnessError(
            f"the target cannot be reached: {error.strerror or error}",
            where=url,
            hint="Start it first, or let the harness start it: --target CMD",
            exit_code=ExitCode.BROKEN,
        ) from error


def _no_url(url: str) -> HarnessError:
    return HarnessError("this is no HTTP URL", where=url, hint="A host looks like http://127.0.0.1:8000")
