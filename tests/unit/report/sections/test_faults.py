"""The list of faults: what each did, and what went wrong with it."""

from __future__ import annotations

from harness.messages import message
from harness.record.fault_report import FaultReport
from harness.record.notice import Notice
from harness.report.blocks import Items, Table
from harness.report.sections.faults import Faults
from tests.support.summaries import a_summary

DONE = FaultReport(
    name="db slow",
    kind="network",
    phase="steady",
    start_s=10.04,
    end_s=15.04,
    requests=1200,
    failures=500,
    error_rate=500 / 1200,
    p95_ms=800.0,
    recovered=True,
    recovery_s=3.96,
    recovery_interval_s=(2.96, 3.96),
    recovery_condition="error_rate <= 2% and p95 <= 36ms",
)


def rows(*faults: FaultReport) -> list[list[tuple[str, str | None]]]:
    table = Faults().text(a_summary(faults=list(faults)))[0]
    assert isinstance(table, Table)
    return [[(cell.text.replace("\u00a0", " "), cell.style) for cell in row] for row in table.rows]


def test_a_fault_has_a_row_with_what_it_did() -> None:
    [row] = rows(DONE)
    assert [text for text, _ in row] == [
        *("db slow", "network", "steady", "10 s", "5 s", "1,200", "41.7 %", "800 ms", "4 s (3 … 4)"),
    ]


def test_a_fault_that_was_not_undone_is_highlighted() -> None:
    failed = Notice.of(message("note", text="no such proxy"))
    lasting = DONE.model_copy(update={"end_s": None, "problem": failed, "recovered": None, "recovery_s": None})
    [row] = rows(lasting)
    assert (row[0][1], row[4][1]) == ("bad", "bad")
    items = Faults().text(a_summary(faults=[lasting]))[1]
    assert isinstance(items, Items)
    assert items.items[0].style == "bad"
    assert "no such proxy" in items.items[0].text


def test_what_the_warnings_say_is_not_repeated() -> None:
    failed = Notice.of(message("note", text="no such proxy"))
    lasting = DONE.model_copy(update={"end_s": None, "problem": failed, "recovery_condition": None})
    assert len(Faults().text(a_summary(faults=[lasting], notices=[failed]))) == 1


def test_a_target_that_stayed_away_stands_out() -> None:
    [row] = rows(DONE.model_copy(update={"recovered": False, "recovery_interval_s": (20.0, None)}))
    assert row[-1][1] == "bad"


def test_a_run_without_faults_has_no_list_of_them() -> None:
    assert Faults().text(a_summary()) == ()
