"""Reads Pact files, and has the Pact project's own library verify that a provider keeps them."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from harness.contracts.child import run_child
from harness.errors import HarnessError, how_to_install
from harness.messages import Message, Option, message
from harness.record.run_folder import read_json
from harness.record.strict_json import KeyTwice, parse_json_once

MOST_FILES = 1000
_HTTP = "Synchronous/HTTP"
_MAJOR_VERSIONS = ("1", "2", "3", "4")


@dataclass(frozen=True)
class Pact:
    """One file: what a consumer expects of a provider."""

    path: Path
    consumer: str
    provider: str
    interactions: int
    states: frozenset[str]
    """What must be set up before its interactions."""


class Mismatch(BaseModel):
    """One difference between what a consumer expects and what the provider did."""

    kind: str
    """``status``, ``header``, ``body``, or another word of Pact's for it."""
    path: str = ""
    expected: str = ""
    actual: str = ""
    text: str


class Interaction(BaseModel):
    """One request of a pact, and how its verification went."""

    consumer: str
    provider: str
    description: str
    states: list[str] = []
    held: bool
    mismatches: list[Mismatch] = []

    @property
    def title(self) -> str:
        given = f" given {', '.join(self.states)}" if self.states else ""
        return f"{self.consumer} → {self.provider}: {self.description}{given}"


class PactVerification(BaseModel):
    """What the verification of all pacts of one provider found: ``pact.json`` of a run, and ``--json``."""

    schema_version: int = 1
    url: str
    pacts: list[str]
    interactions: list[Interaction]
    error: str = ""
    """What kept Pact from verifying an interaction at all."""

    @property
    def held(self) -> bool:
        return not self.error and all(interaction.held for interaction in self.interactions)


def find_pacts(patterns: Sequence[str], folder: Path, where: str | Option | None) -> list[Path]:
    """The files that patterns (``pacts/*.json``), paths and folders name. Raises :class:`HarnessError` for none."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        place = folder / pattern
        try:
            if place.is_dir():
                below = sorted(place.glob("*.json"))
            elif place.exists():  # a name may have brackets in it
                below = [place]
            else:
                below = sorted(map(Path, glob.glob(str(place), recursive=True)))  # noqa: PTH207  (it may be absolute)
        except (OSError, ValueError):  # too long, or with a NUL byte
            below = []
        if not below:
            raise HarnessError("pact-not-found", where=where, pattern=pattern)
        found |= dict.fromkeys(path.absolute() for path in below)
    if len(found) > MOST_FILES:
        raise HarnessError("pacts-too-many", where=where, count=len(found), most=MOST_FILES)
    return list(found)


def read_pacts(paths: Sequence[Path], provider: str | None) -> list[Pact]:
    """The pacts in these files, which are of one provider. Raises :class:`HarnessError` if they are not."""
    pacts = [_read(path) for path in paths]
    wanted = provider or (pacts[0].provider if pacts else "")
    for pact in pacts:
        if pact.provider != wanted and provider is not None:
            raise HarnessError("pact-of-other-provider", where=str(pact.path), provider=pact.provider, wanted=wanted)
        if pact.provider != wanted:
            first = str(pacts[0].path)
            raise HarnessError(
                "pacts-of-several-providers", where=str(pact.path), provider=pact.provider, other=wanted, first=first
            )
    if pacts and find_spec("pact") is None:
        raise HarnessError("contracts-not-installed", where=str(pacts[0].path), how=how_to_install("contracts"))
    return pacts


def _read(path: Path) -> Pact:
    if path.exists() and not path.is_file():
        raise HarnessError("pact-not-a-file", where=str(path))
    data = read_json(path)
    try:
        parse_json_once(path.read_bytes())
    except KeyTwice as error:
        raise HarnessError("key-twice", where=f"{path}: {error.place or 'the pact'}", key=error.key) from error
    consumer, provider = (_text(data, role, "name") for role in ("consumer", "provider"))
    interactions = data.get("interactions", data.get("messages")) if isinstance(data, dict) else None
    if (
        not consumer
        or not provider
        or not isinstance(interactions, list)
        or not all(isinstance(one, dict) for one in interactions)
    ):
        raise HarnessError("pact-invalid", where=str(path))
    version = _text(data, "metadata", "pactSpecification", "version") or _text(
        data, "metadata", "pact-specification", "version"
    )
    if version and version.partition(".")[0] not in _MAJOR_VERSIONS:
        raise HarnessError("pact-version-unsupported", where=str(path), version=version)
    others = [one for one in interactions if one.get("type", _HTTP) != _HTTP]
    if others or "messages" in data:
        raise HarnessError("pact-with-messages", where=str(path), count=len(others) or len(interactions))
    if not interactions:
        raise HarnessError("pact-empty", where=str(path))
    for number, one in enumerate(interactions):
        for key in ("request", "response"):
            if not isinstance(one.get(key), dict):  # the library would report it as verified
                raise HarnessError("pact-interaction-invalid", where=f"{path}: interactions[{number}]", key=key)
        status = one["response"].get("status", 200)
        if type(status) is not int or not 100 <= status <= 999:  # the library would cut off others, or fail
            raise HarnessError("pact-status-invalid", where=f"{path}: interactions[{number}]", status=status)
    return Pact(
        path,
        consumer,
        provider,
        len(interactions),
        frozenset(state for one in interactions for state in states_of(one)),
    )


def _text(data: Any, *keys: str) -> str:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, str) else ""


def states_of(interaction: Mapping[str, Any]) -> list[str]:
    """Of version 3 and later a list of maps, before that a text."""
    stated = interaction.get("providerStates") or interaction.get("providerState") or interaction.get("provider_state")
    if isinstance(stated, list):
        return [name for state in stated if (name := _text(state, "name"))]
    return [stated] if isinstance(stated, str) else []


def states_not_set_up(pacts: Sequence[Pact], states_url: str | None) -> Message | None:
    """A note on pacts whose states nothing sets up."""
    states = sorted({state for pact in pacts for state in pact.states})
    if not states or states_url is not None:
        return None
    return message("pact-states-not-set-up", states=states, option=Option("provider_states_url", "URL"))


def verify(
    pacts: Sequence[Pact], url: str, *, states_url: str | None = None, interrupted: Callable[[], bool] = lambda: False
) -> PactVerification:
    """Send each request of the pacts to ``url`` and compare the responses with what the consumers expect.

    Pact's library runs in a process of its own: it writes to standard output, and a crash must not end a run.
    Raises :class:`HarnessError` if it fails, ``KeyboardInterrupt`` as soon as ``interrupted()`` is true.
    """
    settings = {
        "pacts": [str(pact.path) for pact in pacts],
        "provider": pacts[0].provider,
        "url": url,
        "states_url": states_url,
    }
    child = run_child("harness.contracts.pact_process", json.dumps(settings).encode(), interrupted)
    if child.returncode != 0:
        lines = child.stderr.decode(errors="replace").strip().splitlines()
        raise HarnessError(
            "pact-library-failed", where=str(pacts[0].path), reason=lines[-1] if lines else child.returncode
        )
    return PactVerification.model_validate_json(child.stdout)
