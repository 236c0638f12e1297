"""The process that checks sampled responses during the load, and records what it finds.

It reads msgpack from standard input: a map of settings first, then pairs of sampled responses and of what was skipped.
It writes a line to standard output once it is ready. At the end of its input it has checked all, and ends.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgpack

from harness.contracts.checks import Checked, Contract
from harness.contracts.document import Document, read_document
from harness.contracts.limited import LimitedContract
from harness.record.contract_checks import (
    CONTRACT_DOCUMENT,
    CONTRACT_SECONDS,
    Breach,
    CheckedResponses,
    ContractDocument,
    ContractSecond,
    GivenUp,
    OperationDocumented,
)
from harness.record.frames import FrameWriter
from harness.record.redaction import add_secret_names
from harness.record.sampled_responses import CHECKER_READY, SampledResponse

_NICE = 10
"""Target and load come first."""
_FLUSH_S = 1.0
_MOST_KINDS = 2000
"""Of breaches, and of responses: a target may invent paths and media types without end."""
_MOST_BYTES = 1 << 28
_OTHERS = "…"


class Tally:
    """Counts what was found since the last :meth:`take`, by kind."""

    def __init__(self) -> None:
        self._responses: dict[tuple[Any, ...], list[int]] = {}
        self._breaches: Counter[tuple[Any, ...]] = Counter()
        self._values: dict[tuple[Any, ...], str] = {}
        """The first value of each kind of breach; empty once it was written."""
        self._known: set[tuple[Any, ...]] = set()
        self._skipped: Counter[str] = Counter()
        self._given_up: Counter[tuple[str, int, str]] = Counter()

    def add(self, response: SampledResponse, checked: Checked) -> None:
        operation = str(checked.operation or "")
        if checked.skipped:
            self._skipped[checked.skipped] += 1
        if checked.given_up:
            self._given_up[operation[:1000], response.status, checked.given_up] += 1
        if checked.skipped == "limit":  # nothing of it was checked
            return
        place = (response.phase, response.endpoint)
        key = (*place, operation, response.status, checked.documented, checked.media_type[:100])
        counts = self._responses.setdefault(
            self._bounded(key, (*place, operation, response.status, "", _OTHERS)), [0, 0]
        )
        counts[0] += 1
        counts[1] += bool(checked.breaches)
        for found in dict.fromkeys(one._replace(value="") for one in checked.breaches):
            kind = (*place, operation, response.status, *(text[:1000] for text in found[:-1]))
            kind = self._bounded(kind, (*place, operation, response.status, found.check, _OTHERS, _OTHERS, _OTHERS))
            value = next(one.value for one in checked.breaches if one._replace(value="") == found)
            self._values.setdefault(kind, value)
            self._breaches[kind] += 1

    def skip(self, skipped: Mapping[str, int]) -> None:
        """Count responses that never came here, by reason."""
        self._skipped.update(skipped)

    def _bounded(self, key: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
        if key not in self._known and len(self._known) >= _MOST_KINDS:
            return other
        self._known.add(key)
        return key

    def take(self, *, is_last: bool = False) -> ContractSecond:
        responses = [CheckedResponses._make((*key, *counts)) for key, counts in self._responses.items()]
        breaches = [Breach._make((*kind, self._values[kind], count)) for kind, count in self._breaches.items()]
        self._values |= dict.fromkeys(self._breaches, "")
        given_up = [GivenUp._make((*key, count)) for key, count in self._given_up.items()]
        second = ContractSecond(time.time(), responses, breaches, dict(self._skipped), is_last, given_up)
        self._responses, self._breaches, self._skipped, self._given_up = {}, Counter(), Counter(), Counter()
        return second


def described(document: Document, contract: Contract) -> ContractDocument:
    """What the record says of a document."""
    return ContractDocument(
        title=document.title[:300],
        version=document.version[:100],
        openapi=document.openapi[:100],
        source=document.source,
        sha256=document.sha256,
        operations=[OperationDocumented(str(one), list(one.responses)) for one in contract.operations.all],
    )


def check_all(contract: LimitedContract, inputs: Iterable[Any], frames: FrameWriter) -> None:
    """Check what comes, and write what was found, once a second and at the end."""

    def write(second: ContractSecond) -> None:
        frames.write({"kind": CONTRACT_SECONDS.kind, **asdict(second)})

    tally, written_s = Tally(), -math.inf
    for sampled, skipped in inputs:
        ours = []
        for one in sampled:
            try:
                if contract.contract.is_of_target(response := SampledResponse(*one)):
                    ours.append(response)
            except (TypeError, ValueError):  # half an IPv6 address, for example
                tally.skip({"unreadable": 1})
        for response, checked in zip(ours, contract.check(ours), strict=True):
            tally.add(response, checked)
        tally.skip(skipped)
        if time.monotonic() - written_s >= _FLUSH_S:
            written_s = time.monotonic()
            write(tally.take())
    write(tally.take(is_last=True))


def main() -> None:
    """The process. Its settings: ``document`` and ``record`` (files), ``source`` and ``sha256`` of the document,
    ``checks``, ``base_path``, ``origins``, ``secret_names``.
    """
    os.nice(_NICE)
    # Without a buffer: a buffered read would wait for more than has come.
    pipe = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115  (open until the process ends)
    inputs = msgpack.Unpacker(pipe, raw=False, max_buffer_size=_MOST_BYTES, read_size=1 << 16)
    settings = next(inputs)
    add_secret_names(settings["secret_names"])
    document = read_document(Path(settings["document"]).read_bytes(), settings["source"])
    document = replace(document, sha256=settings["sha256"])  # of what was read; this is a copy of it as JSON
    contract = Contract(document, settings["checks"], settings["base_path"], settings["origins"])
    with FrameWriter(Path(settings["record"])) as frames:
        frames.write({"kind": CONTRACT_DOCUMENT.kind, **asdict(described(document, contract))})
        limited = LimitedContract(contract)
        os.write(sys.stdout.fileno(), CHECKER_READY)
        check_all(limited, inputs, frames)
        limited.close()
