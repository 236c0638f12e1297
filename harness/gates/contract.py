"""The gates that a contract brings with it: no breach in the whole run, and pacts that hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.contracts.pacts import PactVerification
from harness.messages import Message, message
from harness.plan.model.run import ContractPlan, Gate
from harness.record.contract_summary import ContractSummary
from harness.record.gate_result import GateResult
from harness.record.run_folder import RunFolder, read_model

_METRIC = "contract_breaches"


def contract_results(
    plan: ContractPlan, found: ContractSummary | None, folder: RunFolder, gates: Sequence[Gate]
) -> Iterator[GateResult]:
    """One for the document, unless ``gates`` limit the breaches themselves, and one for the pacts."""
    if plan.openapi is not None and not any(gate.comparison.metric == _METRIC for gate in gates):
        yield _of_document(found)
    if plan.pacts and folder.pact.exists():
        verification = read_model(folder.pact, PactVerification)
        result = GateResult(require="pact", status="pass" if verification.held else "fail")
        code = "pacts-held" if verification.held else "pacts-not-held"
        count, pacts = len(verification.interactions), len(verification.pacts)
        yield result.because(message(code, count=count, pacts=pacts))


def _of_document(found: ContractSummary | None) -> GateResult:
    result = GateResult(require="contract", status="inconclusive")
    if found is None or not found.checked:
        return result.because(message("contract-not-checked"))
    result = result.model_copy(update={"observed": float(found.breached), "limit": 0.0})
    if found.breached:
        first = found.breaches[0]
        broken = message(
            "contract-broken",
            breached=found.breached,
            checked=found.checked,
            operation=first.operation or next(iter(first.endpoints), ""),
            status=first.status,
            path=first.path,
            problem=first.problem,
        )
        return result.model_copy(update={"status": "fail"}).because(broken)
    if (reason := why_not_held(found)) is not None:
        return result.because(reason)
    return result.model_copy(update={"status": "pass"}).because(message("contract-held", checked=found.checked))


def why_not_held(found: ContractSummary) -> Message | None:
    """Why no gate on breaches can pass: some checks were aborted or cut short, or none was possible."""
    conformed = found.checked - found.breached
    if found.given_up:
        operations = list(dict.fromkeys(one.operation for one in found.given_up))
        return message("contract-checks-given-up", checked=conformed, operations=operations)
    if not found.complete:
        return message("contract-checks-cut-short", checked=conformed)
    if too_slow := found.skipped.get("pattern"):
        return message("contract-pattern-too-slow", count=too_slow)
    return message("contract-matches-nothing", checked=found.checked) if found.matches_nothing else None
