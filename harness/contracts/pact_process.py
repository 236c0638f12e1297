"""Runs the Pact project's library in a process: settings on standard input, results on output.

Each interaction is verified by itself, from a pact with nothing else in it, so that it is certain which one differs.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.contracts.pact_states import StatesRelay
from harness.contracts.pacts import Interaction, Mismatch, PactVerification, states_of
from harness.prctl import die_with_parent
from harness.record.redaction import redacted

_TIMEOUT_MS = 30_000
_LONGEST = 2000


def main() -> None:
    """The process. Its settings: ``pacts`` (files), ``provider``, ``url`` and ``states_url``."""
    # The thread that started it waits for it. That may be killed, and a provider may take for ever.
    die_with_parent()
    stdout = os.dup(1)
    os.dup2(2, 1)  # the library may write to standard output
    settings = json.load(sys.stdin)
    relay = StatesRelay(settings["states_url"]) if settings["states_url"] else nullcontext()
    with tempfile.TemporaryDirectory() as folder, relay as states:
        verified = [
            _verified(pact, interaction, settings, Path(folder), states)
            for pact, interaction in _interactions(settings["pacts"])
        ]
    found = PactVerification(url=redacted(settings["url"]), pacts=settings["pacts"], interactions=verified)
    os.write(stdout, found.model_dump_json().encode())


def _interactions(files: list[str]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for file in files:
        pact = json.loads(Path(file).read_bytes())
        for interaction in pact["interactions"]:
            yield pact, interaction


def _verified(
    pact: Mapping[str, Any],
    interaction: Mapping[str, Any],
    settings: Mapping[str, Any],
    folder: Path,
    states: StatesRelay | None,
) -> Interaction:
    from pact import Verifier

    file = folder / "pact.json"
    # The library passes over what is wrong with a pending interaction, as if it held.
    judged = {key: value for key, value in interaction.items() if key != "pending"}
    file.write_text(json.dumps({**pact, "interactions": [judged]}))
    verifier = Verifier(settings["provider"], urlsplit(settings["url"]).hostname)
    verifier.add_transport(url=settings["url"])
    verifier.add_source(file)
    verifier.set_request_timeout(_TIMEOUT_MS)
    verifier.disable_ssl_verification()  # as the load client does
    if states is not None:
        states.failure = ""
        verifier.state_handler(states.url, body=True)
    try:
        verifier.verify()
        error = None
    except RuntimeError as raised:
        error = str(raised)
    return Interaction(
        consumer=pact["consumer"]["name"],
        provider=settings["provider"],
        description=str(interaction.get("description", "")),
        states=states_of(interaction),
        held=error is None,
        mismatches=[*_mismatches(verifier.results, error, states.failure if states else "")] if error else [],
    )


def _mismatches(results: Mapping[str, Any], error: str, states: str) -> Iterator[Mismatch]:
    """What the library found, or else what it raised. ``states``: why those could not be set up."""
    if states:
        yield Mismatch(kind="state", text=_line(states))
        return
    count = 0
    for found in results.get("errors", []):
        mismatch = found["mismatch"]
        if mismatch["type"] == "error":
            count += 1
            yield Mismatch(kind="error", text=_line(mismatch["message"]))
        for one in mismatch.get("mismatches", []):
            count += 1
            kind = one["type"].removesuffix("Mismatch").lower()
            path = str(one.get("path") or one.get("key") or one.get("parameter") or "")
            place = " ".join(filter(None, (kind, path)))
            text = _line(one.get("mismatch") or f"expected {one.get('expected')}, got {one.get('actual')}")
            yield Mismatch(
                kind=kind,
                path=path,
                expected=_line(one.get("expected")),
                actual=_line(one.get("actual")),
                text=f"{place}: {text}",
            )
    if not count:
        yield Mismatch(kind="error", text=_line(error))


def _line(value: object) -> str:
    return redacted(" ".join(str("" if value is None else value).split())[:_LONGEST])
