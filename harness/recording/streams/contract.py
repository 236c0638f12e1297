"""What the checks of responses against an OpenAPI document found, second by second."""

from __future__ import annotations

from typing import NamedTuple

from harness.record.contract_checks import CONTRACT_DOCUMENT, CONTRACT_SECONDS, ContractDocument, ContractSecond
from harness.record.run_folder import RunFolder
from harness.recording.stream import Stream


class ContractChecks(NamedTuple):
    """``document`` is None if the process that checks never began."""

    document: ContractDocument | None
    seconds: list[ContractSecond]


def _read(folder: RunFolder) -> ContractChecks:
    documents = CONTRACT_DOCUMENT.read(folder.contract)
    return ContractChecks(documents[0] if documents else None, CONTRACT_SECONDS.read(folder.contract))


CONTRACT = Stream(
    name="contract",
    files=("contract",),
    read=_read,
    artifacts={"contract": "contract", "openapi": "openapi.json", "pact": "pact.json"},
)
