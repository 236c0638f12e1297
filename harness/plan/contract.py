"""``[contract]`` of a profile, scenario or project: OpenAPI document, pacts, and what to check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictStr

from harness.contracts.checks import CHECKS
from harness.contracts.compiling import require_usable
from harness.contracts.document import document_file
from harness.contracts.pacts import find_pacts, read_pacts
from harness.errors import HarnessError, InvalidValue
from harness.messages import alternatives
from harness.plan.config_source import ConfigSource
from harness.plan.hosts import address_of_url
from harness.plan.model.run import ContractPlan
from harness.plan.problems import Problems, shown
from harness.plan.validation_errors import checked
from harness.quantities import parse_share_or_zero
from harness.record.redaction import redacted

DEFAULT_SHARE = 0.05


def _check(value: object) -> object:
    if value not in CHECKS:
        raise InvalidValue("contract-check-unknown", value=value, alternatives=alternatives(str(value), CHECKS))
    return value


def _share(value: object) -> float:
    try:
        return parse_share_or_zero(value)
    except InvalidValue:
        raise InvalidValue("contract-sample-invalid", value=value) from None


def _patterns(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _http_url(value: object) -> object:
    valid = isinstance(value, str) and re.fullmatch(r"https?://[^\s/]+(/\S*)?", value)
    if not valid or address_of_url(str(value)) is None:
        raise InvalidValue("url-invalid", url=redacted(str(value)))
    return value


def _openapi(value: object) -> object:
    return _http_url(value) if isinstance(value, str) and "://" in value else value


class ContractTable(BaseModel):
    """``[contract]``: an OpenAPI document, Pact files, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    synonyms: ClassVar[Mapping[str, str]] = {
        "spec": "openapi", "schema": "openapi", "swagger": "openapi", "document": "openapi", "file": "openapi",
        "pacts": "pact", "share": "sample", "check": "checks", "states_url": "provider_states_url",
    }  # fmt: skip

    openapi: Annotated[StrictStr | None, BeforeValidator(_openapi)] = None
    checks: tuple[Annotated[str, BeforeValidator(_check)], ...] = CHECKS
    sample: Annotated[float, BeforeValidator(_share)] = DEFAULT_SHARE
    pact: Annotated[tuple[StrictStr, ...], BeforeValidator(_patterns)] = ()
    provider: StrictStr | None = None
    provider_states_url: Annotated[str, BeforeValidator(_http_url)] | None = None


def read_contract(source: ConfigSource, value: Any, folder: Path, problems: Problems) -> ContractPlan | None:
    """The contract that ``value`` states, which stands at ``contract``.

    Files are relative to ``folder``. Documents and pacts that are files are read, so that all that is wrong with them
    is reported before any load.
    """
    if value is None:
        return None
    path = ("contract",)
    table = checked(ContractTable, value, path, source, problems)
    if table is None:
        return None
    if table.openapi is None and not table.pact:
        problems.add("contract-empty", where=source.where(path))
    if not table.checks:  # all responses would pass
        problems.add("contract-checks-empty", where=source.where((*path, "checks")), known=list(CHECKS))
    document, pacts = table.openapi, []
    if document is not None and not is_on_target(document):
        document = str((folder / document).absolute())
        try:
            content = document_file(Path(document), where=shown(source.where((*path, "openapi"))))
            require_usable(content, document)
        except HarnessError as error:
            problems.add_found(error)
    try:
        pacts = find_pacts(table.pact, folder, where=shown(source.where((*path, "pact"))))
        read_pacts(pacts, table.provider)
    except HarnessError as error:
        problems.add_found(error)
    return ContractPlan(
        openapi=document,
        checks=table.checks,
        sample=table.sample,
        pacts=tuple(map(str, pacts)),
        provider=table.provider,
        provider_states_url=table.provider_states_url,
    )


def is_on_target(openapi: str) -> bool:
    """Whether the target serves the document: its URL, or a path that is not a file here."""
    try:
        return "://" in openapi or (openapi.startswith("/") and not Path(openapi).exists())
    except OSError:  # too long for a file's name
        return True
