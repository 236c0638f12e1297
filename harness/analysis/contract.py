"""Adds up what checks against a contract found: breaches, coverage, and the figures of gates."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from harness.messages import Message, message
from harness.metrics import CONTRACT_METRICS
from harness.metrics.contract import CheckedAgainstContract
from harness.plan.duet import B
from harness.record.contract_checks import Breach, CheckedResponses, ContractDocument
from harness.record.contract_summary import ContractBreach, ContractGivenUp, ContractSummary, OperationCoverage
from harness.record.measurement import ALL, ONLY, Figures, Interval
from harness.recording.run import PhaseRecord, RunRecording
from harness.recording.streams import CONTRACT

MOST_BREACHES = 200
"""Kinds of them that the summary lists."""

_GIVEN_UP = {
    "time": "contract-check-takes-time",
    "memory": "contract-check-takes-memory",
    "crash": "contract-check-crashes",
}


def contract_of(run: RunRecording) -> ContractSummary | None:
    """What was found in the whole run; None if responses were not checked."""
    checks = run.read(CONTRACT)
    if checks.document is None:
        return None
    responses = [one for second in checks.seconds for one in second.responses if _is_judged(run, one.endpoint)]
    skipped, given_up = Counter[str](), Counter[tuple[str, int, str]]()
    for second in checks.seconds:
        skipped.update(second.skipped)
        given_up.update({(one.operation, one.status, one.why): one.seen for one in second.given_up})
    document = checks.document
    return ContractSummary(
        title=document.title,
        version=document.version,
        openapi=document.openapi,
        source=document.source,
        sha256=document.sha256,
        complete=any(second.is_last for second in checks.seconds),
        checked=sum(one.checked for one in responses),
        breached=sum(one.breached for one in responses),
        skipped=dict(skipped),
        given_up=[
            ContractGivenUp(operation=operation, status=status, why=why, count=count)
            for (operation, status, why), count in given_up.most_common()
        ],
        breaches=_breaches(run, [one for second in checks.seconds for one in second.breaches]),
        operations=_coverage(document, responses),
    )


def contract_warnings(found: ContractSummary | None) -> Iterator[Message]:
    """That no response belongs to an operation, and the operations whose responses could not be checked."""
    if found is not None and found.matches_nothing:
        yield message("contract-matches-nothing", checked=found.checked)
    for one in found.given_up if found is not None else ():
        yield Message(_GIVEN_UP[one.why], {"operation": one.operation, "status": one.status})


def contract_figures(run: RunRecording, record: PhaseRecord) -> dict[str, Figures]:
    """The figures of each endpoint of a phase in which responses were checked, and of all together."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for second in run.read(CONTRACT).seconds:
        for one in second.responses:
            endpoint = run.journal.endpoints.get(one.endpoint)
            if one.phase == record.index and endpoint is not None and endpoint.variant == record.variant:
                for name in (ALL, str(endpoint)):
                    counts[name][0] += one.checked
                    counts[name][1] += one.breached
    return {name: _figures(CheckedAgainstContract(*found)) for name, found in counts.items()}


def _figures(counts: CheckedAgainstContract) -> Figures:
    values = {name: metric.value(counts) for name, metric in CONTRACT_METRICS.items()}
    return {name: Interval.exactly(value) for name, value in values.items() if value is not None}


def _is_judged(run: RunRecording, endpoint: int) -> bool:
    """Whether an endpoint is one of this run's, and of the build that is judged."""
    found = run.journal.endpoints.get(endpoint)
    return found is not None and found.variant in (ONLY, B)


def _breaches(run: RunRecording, found: Iterable[Breach]) -> list[ContractBreach]:
    merged: dict[tuple[object, ...], ContractBreach] = {}
    for one in found:
        if not _is_judged(run, one.endpoint) or one.phase >= len(run.plan.phases):
            continue
        key = (one.operation, one.status, one.check, one.path, one.rule, one.problem)
        breach = merged.setdefault(
            key,
            ContractBreach(
                operation=one.operation,
                status=one.status,
                endpoints=[],
                phases=[],
                check=one.check,
                path=one.path,
                rule=one.rule,
                problem=one.problem,
                value="",
                count=0,
            ),
        )
        breach.count += one.seen
        breach.value = breach.value or one.value
        endpoint, phase = str(run.journal.endpoints[one.endpoint]), run.plan.phases[one.phase].name
        breach.endpoints += [endpoint] * (endpoint not in breach.endpoints)
        breach.phases += [phase] * (phase not in breach.phases)
    return sorted(merged.values(), key=lambda breach: -breach.count)[:MOST_BREACHES]


def _coverage(document: ContractDocument, responses: Iterable[CheckedResponses]) -> list[OperationCoverage]:
    statuses: dict[str, Counter[str]] = defaultdict(Counter)
    documented: dict[str, set[str]] = defaultdict(set)
    for one in responses:
        statuses[one.operation][str(one.status)] += one.checked
        documented[one.operation].add(one.documented)
    return [
        OperationCoverage(
            operation=operation,
            documented=known,
            missing=[status for status in known if status not in documented[operation]],
            statuses=dict(sorted(statuses[operation].items())),
        )
        for operation, known in document.operations
    ]
