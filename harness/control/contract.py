"""What a run does about its contract before the load: gets the document, verifies the pacts."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from http.client import HTTPConnection, HTTPException, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from harness.contracts.compiling import require_usable
from harness.contracts.direct_requests import direct_connection
from harness.contracts.document import LARGEST, document_file
from harness.contracts.pacts import PactVerification, read_pacts, states_not_set_up, verify
from harness.control.observer import RunObserver
from harness.errors import ExitCode, HarnessError
from harness.messages import Message, message
from harness.plan.contract import is_on_target
from harness.plan.hosts import host_of
from harness.plan.model.run import ContractPlan, RunPlan
from harness.plan.model.target import AllowedHost
from harness.plan.problems import Problems
from harness.plan.profile import load_project
from harness.record.redaction import redacted
from harness.record.run_folder import RunFolder, write_json
from harness.targets.health import require_allowed, why_not_listening
from harness.targets.target import Target

_FETCH_S = 30.0
_POLL_S = 0.05
_SHOWN = 10
"""Mismatches of pacts in one error."""


def prepare(
    plan: RunPlan, target: Target, folder: RunFolder, observer: RunObserver, interrupted: Callable[[], bool]
) -> dict[str, Any] | None:
    """Get the document that responses are checked against, and verify the pacts.

    Returns the settings of :mod:`harness.contracts.checker`; None if there is no document. Raises
    :class:`HarnessError` if the document cannot be used, or (with exit code 1) if a pact is broken.
    """
    contract = plan.contract
    if contract is None:
        return None
    settings = None
    if contract.openapi is not None:
        content, source = _document(contract.openapi, target.url, plan.allowed_hosts, interrupted)
        base_path = urlsplit(target.url).path
        sha256 = require_usable(content, source, base_path, folder.openapi, interrupted)
        settings = {
            "document": str(folder.openapi.resolve()),
            "record": str(folder.contract.resolve()),
            "source": redacted(source),
            "sha256": sha256,
            "checks": contract.checks,
            "base_path": base_path,
            "secret_names": plan.secret_names,
        }
    if contract.pacts:
        if contract.provider_states_url is not None:
            require_allowed(contract.provider_states_url, known=plan.allowed_hosts)
        _verify_pacts(contract, target, folder, observer, interrupted)
    return settings


def _document(
    openapi: str, target_url: str, allowed: Sequence[AllowedHost], interrupted: Callable[[], bool]
) -> tuple[bytes, str]:
    """What the document has, and where it is, for people."""
    if not is_on_target(openapi):
        return document_file(Path(openapi)), openapi
    url = urljoin(target_url, openapi)
    require_allowed(url, known=allowed)
    return _fetched(url, interrupted), redacted(url)


def _fetched(url: str, interrupted: Callable[[], bool]) -> bytes:
    """The content, in time. Raises ``KeyboardInterrupt`` as soon as ``interrupted()`` is true."""
    connection, content = direct_connection(url, _FETCH_S), Future[bytes]()
    channels: list[socket.socket] = []

    def receive() -> None:
        try:
            connection.connect()
            channels.append(connection.sock)  # which the connection itself forgets before the body has come
            content.set_result(_received(connection, url))
        except BaseException as error:  # noqa: BLE001  (raised where the result is awaited)
            content.set_exception(error)

    # Left behind if it takes too long: nothing else bounds the lookup of a name, a handshake and headers that drip.
    threading.Thread(target=receive, daemon=True).start()
    deadline = time.monotonic() + _FETCH_S
    try:
        while not wait([content], _POLL_S).done:
            if interrupted():
                raise KeyboardInterrupt
            if time.monotonic() > deadline:
                raise TimeoutError(f"it took longer than {_FETCH_S:g} s")
        return content.result()
    except (OSError, HTTPException, ValueError) as error:
        reason = redacted(str(error) or type(error).__name__)
        raise HarnessError("contract-not-served", where=redacted(url), reason=reason) from error
    finally:
        for channel in channels:
            with contextlib.suppress(OSError):  # all has come, and it is closed
                channel.shutdown(socket.SHUT_RDWR)


def _received(connection: HTTPConnection, url: str) -> bytes:
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    with contextlib.closing(connection):
        connection.request("GET", f"{parts.path or '/'}{query}")
        with connection.getresponse() as response:
            if not 200 <= response.status < 300:
                raise HTTPException(f"HTTP {response.status}")
            content = response.read(LARGEST + 1)
            if len(content) <= LARGEST and response.length:
                raise IncompleteRead(content, response.length)
            return content


def require_provider(url: str, states_url: str | None, allow_host: Sequence[str]) -> None:
    """Check that a provider can be verified: its host is this machine or allowed, as for load, and it is there.

    Raises :class:`HarnessError`, with exit code 4 if nobody listens.
    """
    problems = Problems()
    allowed = load_project(Path.cwd(), problems).allowed_hosts(allow_host, problems)
    problems.raise_if_any()
    for each in filter(None, (states_url, url)):
        address = require_allowed(each, allowed=allowed.names(host_of(each)), known=allowed.all())
        if (reason := why_not_listening(*address)) is not None:
            raise HarnessError("provider-unreachable", where=redacted(each), exit_code=ExitCode.BROKEN, reason=reason)


def _verify_pacts(
    contract: ContractPlan,
    target: Target,
    folder: RunFolder,
    observer: RunObserver,
    interrupted: Callable[[], bool],
) -> None:
    pacts = read_pacts([Path(path) for path in contract.pacts], contract.provider)
    observer.notify(message("pacts-verifying", count=len(pacts), provider=pacts[0].provider))
    if (note := states_not_set_up(pacts, contract.provider_states_url)) is not None:
        observer.notify(note)
    found = verify(pacts, target.url, states_url=contract.provider_states_url, interrupted=interrupted)
    write_json(folder.pact, found.model_dump())
    if not found.held:
        raise HarnessError("pacts-broken", exit_code=ExitCode.FAIL, problems=problems_of_pacts(found))


def problems_of_pacts(found: PactVerification) -> list[Message]:
    """What did not hold, a sentence for each difference."""
    problems = [message("pact-error", error=found.error)] if found.error else []
    for interaction in found.interactions:
        problems += [
            message("pact-mismatch", interaction=interaction.title, mismatch=mismatch.text)
            for mismatch in interaction.mismatches
        ]
    return problems[:_SHOWN]
