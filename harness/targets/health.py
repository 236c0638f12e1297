"""Whether the target is ready; free ports; which addresses load may be sent to."""

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
from harness.messages import Message, Option, message
from harness.plan.hosts import AllowedHosts, host_key, setting_to_allow
from harness.plan.model.target import AllowedHost

LOOPBACK = "127.0.0.1"
_POLL_S = 0.02
_RESPONSE_TIMEOUT_S = 5.0
_NOTHING = message("ready-nothing-listened")
_PATH_SAFE = "!#$%&'()*+,/:;=?@[]~"
"""Characters that stay as they are; only what a request line cannot hold (spaces, ``ü``) is percent-encoded."""


def free_port() -> int:
    """A free loopback port; another process may take it before the caller does."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def is_taken(port: int) -> bool:
    """Whether some process holds loopback ``port``."""
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def wait_until_ready(port: int, path: str, timeout_s: float, is_alive: Callable[[], bool]) -> Message | None:
    """Send ``GET path`` until the response is 2xx. None then; otherwise what happened last.

    Ends early when ``is_alive`` turns false.
    """
    deadline = time.monotonic() + timeout_s
    seen = _NOTHING
    while is_alive() and (left_s := deadline - time.monotonic()) > 0:
        try:
            status, reason = _get(port, path, min(_RESPONSE_TIMEOUT_S, left_s))
            if 200 <= status < 300:
                return None
            seen = message("ready-status", status=status, reason=reason)
        except ConnectionRefusedError:
            pass  # not listening yet: what happened before still holds
        except TimeoutError:
            # A time-out that the deadline cut short says less than an earlier response.
            if seen == _NOTHING or left_s >= _RESPONSE_TIMEOUT_S:
                seen = message("ready-no-response")
        except (OSError, http.client.HTTPException) as error:
            seen = message("ready-no-http", reason=str(error) or type(error).__name__)
        time.sleep(_POLL_S)
    return seen


def _get(port: int, path: str, timeout_s: float) -> tuple[int, str]:
    """Status and reason of the response to ``GET path``. The body is not read: it may never end.

    Raises ``TimeoutError``, ``OSError`` or ``HTTPException`` if there is no response.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    connection.connect()
    channel: socket.socket = connection.sock
    timed_out = threading.Event()

    def hang_up() -> None:
        timed_out.set()
        with contextlib.suppress(OSError):  # the response came just now, and the connection is closed
            channel.shutdown(socket.SHUT_RDWR)

    # The socket's own timeout is for each piece that comes, and a header may come byte by byte.
    timer = threading.Timer(timeout_s, hang_up)
    timer.start()
    try:
        connection.request("GET", quote(path, safe=_PATH_SAFE), headers={"Connection": "close"})
        with connection.getresponse() as response:
            if timed_out.is_set():
                raise TimeoutError  # what was read ends where the timer hung up
            return response.status, response.reason
    except (OSError, http.client.HTTPException) as error:
        if timed_out.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        timer.join()
        connection.close()


def require_allowed(url: str, *, allowed: bool = False, known: Sequence[AllowedHost] = ()) -> tuple[str, int]:
    """Host and port of ``url``; ``known`` are the hosts that the user has allowed so far.

    Raises :class:`HarnessError` if it is not an HTTP URL, or leads to another machine and is not ``allowed``.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _not_a_url(url) from error
    if parts.scheme not in {"http", "https"} or not host:
        raise _not_a_url(url)
    try:
        host.encode("idna")
    except UnicodeError as error:  # not a valid name: a part of it is too long
        raise _not_a_url(url) from error
    port = port or (443 if parts.scheme == "https" else 80)
    not_allowed = HarnessError(
        "target-host-not-allowed",
        where=url,
        host=host,
        setting=setting_to_allow(host, known),
        option=Option("allow_host", host),
    )
    if not allowed and not AllowedHosts(known).may_lead_to_allowed(host_key(host)):
        raise not_allowed
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise HarnessError(
            "target-host-unknown", where=url, exit_code=ExitCode.BROKEN, host=host, reason=error.strerror or str(error)
        ) from error
    if not allowed and not all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found):
        raise not_allowed
    return host, port


def why_not_listening(host: str, port: int) -> str | None:
    """Why connections to it are not accepted; None if they are."""
    try:
        socket.create_connection((host, port), timeout=_RESPONSE_TIMEOUT_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _not_a_url(url: str) -> HarnessError:
    return HarnessError("target-url-invalid", where=url)
