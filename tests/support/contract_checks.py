"""Run folders with what a checker of responses would have written into them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from harness.record.contract_checks import (
    CONTRACT_DOCUMENT,
    CONTRACT_SECONDS,
    Breach,
    CheckedResponses,
    ContractDocument,
    ContractSecond,
    OperationDocumented,
)
from harness.record.frames import FrameWriter
from harness.record.run_folder import RunFolder

DOCUMENT = ContractDocument(
    title="Shop",
    version="1.2",
    openapi="3.1.0",
    source="openapi.json",
    sha256="0" * 64,
    operations=[
        OperationDocumented("GET /products", ["200", "422"]),
        OperationDocumented("GET /products/{id}", ["200", "404"]),
        OperationDocumented("POST /orders", ["201"]),
    ],
)


def breach(phase: int = 0, endpoint: int = 0, path: str = "body.price", seen: int = 1, value: str = '"dear"') -> Breach:
    """A value of a wrong type."""
    problem = 'is not of type "number"'
    return Breach(phase, endpoint, "GET /products/{id}", 200, "body", path, "type", problem, value, seen)


def responses(
    phase: int = 0,
    endpoint: int = 0,
    checked: int = 10,
    breached: int = 0,
    *,
    operation: str = "GET /products/{id}",
    status: int = 200,
    documented: str = "200",
) -> CheckedResponses:
    """Responses of one kind."""
    return CheckedResponses(
        phase, endpoint, operation, status, documented, "application/json", checked=checked, breached=breached
    )


def write_checks(folder: RunFolder, *seconds: ContractSecond, document: ContractDocument | None = DOCUMENT) -> None:
    """Write the stream ``contract`` of a recorded run, and make its plan one with a contract."""
    if document is not None:
        with FrameWriter(folder.contract) as frames:
            frames.write({"kind": CONTRACT_DOCUMENT.kind, **asdict(document)})
            for second in seconds:
                frames.write({"kind": CONTRACT_SECONDS.kind, **asdict(second)})
    plan = json.loads(folder.plan.read_text())
    plan["contract"] = {"openapi": "/work/openapi.json", "checks": ["body"], "sample": 0.05}
    folder.plan.write_text(json.dumps(plan))


def second(
    counts: Sequence[CheckedResponses] = (), breaches: Sequence[Breach] = (), *, is_last: bool = True, **skipped: int
) -> ContractSecond:
    return ContractSecond(1_770_000_001.0, list(counts), list(breaches), skipped, is_last)
