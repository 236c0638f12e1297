"""Where responses broke the contract: the most frequent breaches."""

from __future__ import annotations

from collections.abc import Iterator

from harness.explain.questions import Question
from harness.messages import Message, message
from harness.record.contract_summary import ContractBreach
from harness.record.explanation import Cause

_MOST = 3


def causes(question: Question) -> Iterator[Cause]:
    contract = question.summary.contract
    if question.family != "contract" or contract is None:
        return
    inside = [
        breach
        for breach in contract.breaches
        if question.phase in (None, *breach.phases) and question.endpoint in (None, *breach.endpoints)
    ]
    for breach in inside[:_MOST]:
        example = [message("evidence-contract-value", value=breach.value)] if breach.value else []
        yield question.cause("contract", what_broke(breach), evidence=example)


def what_broke(breach: ContractBreach) -> Message:
    """A breach as a sentence, with how often it was seen."""
    return message(
        "cause-contract",
        operation=breach.operation or ", ".join(breach.endpoints),
        status=breach.status,
        path=breach.path,
        problem=breach.problem,
        count=breach.count,
    )
