"""Responses against the OpenAPI document: breaches, and how much of the document was used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.contracts.pacts import PactVerification
from harness.explain.kinds.contract import what_broke
from harness.record.contract_summary import ContractBreach, ContractSummary, OperationCoverage
from harness.record.summary import Summary
from harness.report.blocks import WIDE, Block, Cell, Column, Headline, Items, Paragraph, table
from harness.report.contents import Report, Section, SectionOf, shown_as_text
from harness.report.formatting import number

_MOST_UNUSED = 10
_SKIPPED = {
    "rate": "came faster than responses are kept for checks",
    "size": "had a body that was too large to keep, so that only status and headers were checked",
    "checker": "came faster than they could be checked",
    "pattern": "had a value on which a regular expression of the document takes too long",
    "limit": "took too much time or memory to check, made the check crash, or would have",
    "unreadable": "could not be read",
}


class Contract(Section):
    id = "contract"
    title = "Contract"

    def text(self, summary: Summary) -> Sequence[Block]:
        """Without the breaches that the causes list."""
        said = {cause.what.text for explanation in summary.explanations for cause in explanation.causes}
        breaches = summary.contract.breaches if summary.contract is not None else []
        return _blocks(summary.contract, [breach for breach in breaches if str(what_broke(breach)) not in said])

    def values(self, report: Report) -> dict[str, Any] | None:
        contract = report.summary.contract
        if contract is None:
            return None
        return shown_as_text([*_blocks(contract, contract.breaches), table(_OPERATIONS, contract.operations)])


class PactsVerified(SectionOf[PactVerification, PactVerification]):
    """What ``harness contract`` shows: each interaction, and where it differs."""

    id = "pacts"
    title = ""

    def text(self, summary: PactVerification) -> Sequence[Block]:
        interactions = summary.interactions
        held = sum(interaction.held for interaction in interactions)
        verdict = Cell("pass", "pass") if summary.held else Cell("fail", "fail")
        details = [f"{held} of {len(interactions)} interactions hold", summary.url]
        names = list(dict.fromkeys(f"{one.consumer} → {one.provider}" for one in interactions))
        items = [Cell(summary.error, "fail")] if summary.error else []
        for interaction in interactions:
            items.append(Cell(interaction.title, "pass" if interaction.held else "fail"))
            items += [Cell(f"  {mismatch.text}", "bad") for mismatch in interaction.mismatches]
        return [Headline(verdict, names, details), Items(items)]

    def values(self, report: PactVerification) -> dict[str, Any] | None:
        return shown_as_text(self.text(report))


def _blocks(contract: ContractSummary | None, breaches: Sequence[ContractBreach]) -> list[Block]:
    if contract is None:
        return []
    blocks: list[Block] = [Paragraph(_coverage(contract))]
    notes = [
        Cell(f"{number(count)} {_SKIPPED.get(why, why)}", "dim") for why, count in contract.skipped.items() if count
    ]
    if not contract.complete:
        notes.append(Cell("The checks were cut short.", "warning"))
    if breaches:
        blocks.append(table(_BREACHES, breaches, top=True))
    unused = [operation.operation for operation in contract.operations if not operation.statuses]
    if unused:
        more = f" and {len(unused) - _MOST_UNUSED} more" if len(unused) > _MOST_UNUSED else ""
        notes.append(Cell(f"Not used: {', '.join(unused[:_MOST_UNUSED])}{more}", "dim"))
    return [*blocks, *([Items(notes)] if notes else [])]


def _coverage(contract: ContractSummary) -> str:
    documented = sum(len(operation.documented) for operation in contract.operations)
    missing = sum(len(operation.missing) for operation in contract.operations)
    name = " ".join(filter(None, (contract.title, contract.version))) or contract.source
    checked = number(contract.checked)
    broke = f"{number(contract.breached)} of {checked} checked responses broke it" if contract.breached else ""
    return (
        f"{name}: the scenario used {len(contract.seen)} of {len(contract.operations)} operations and got "
        f"{documented - missing} of {documented} documented statuses; "
        + (broke or f"none of {checked} checked responses broke it")
        + "."
    )


_BREACHES: list[Column[ContractBreach]] = [
    Column("Count", lambda breach: Cell(number(breach.count), "bad")),
    Column("Operation", lambda breach: breach.operation or ", ".join(breach.endpoints), text=True),
    Column("Status", lambda breach: str(breach.status)),
    Column("Where", lambda breach: breach.path, text=True),
    Column("Breach", lambda breach: breach.problem, text=True),
    Column("For example", lambda breach: breach.value or "–", text=True, from_width=WIDE),
]

_OPERATIONS: list[Column[OperationCoverage]] = [
    Column("Operation", lambda operation: operation.operation, text=True),
    Column("Checked", lambda operation: number(sum(operation.statuses.values()))),
    Column(
        "Statuses",
        lambda operation: (
            ", ".join(f"{status} ({number(count)})" for status, count in operation.statuses.items()) or "–"
        ),
        text=True,
    ),
    Column("Documented, not seen", lambda operation: ", ".join(operation.missing) or "–", text=True),
]
