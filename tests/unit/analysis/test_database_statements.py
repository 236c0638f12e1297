"""Which statements took a database's time in a phase: what it counted in it, most time first."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.database_statements import Statement, statements_in
from harness.gates.judge import judge
from harness.record.database_statements import STATEMENT_TOTALS, StatementTotals
from harness.record.run_folder import write_text
from harness.recording import RunRecording, open_recording
from harness.report.contents import read_report
from harness.report.sections.surroundings import Surroundings
from tests.support.plans import steady
from tests.support.recordings import EPOCH_S, record_run

BEFORE = {"SELECT a": [10.0, 100.0, 10.0], "SELECT b": [5.0, 50.0, 0.0], "SELECT d": [9.0, 9.0, 9.0]}
AFTER = {
    "SELECT a": [30.0, 200.0, 30.0],
    "SELECT b": [5.0, 50.0, 0.0],
    "SELECT c": [1.0, 300.0, 7.0],
    "SELECT d": [2.0, 4.0, 2.0],  # the counts were reset
}


def recorded(folder: Path) -> RunRecording:
    run = record_run(folder, phases=[steady()])
    writer = STATEMENT_TOTALS.writer(run.statements)
    for ended, statements in ((False, BEFORE), (True, AFTER)):
        writer.write(StatementTotals(EPOCH_S + 20 * ended, "db", 0, ended, statements))
    writer.write(StatementTotals(EPOCH_S, "other", 0, False, BEFORE))  # it was gone at the end
    writer.close()
    recording = open_recording(run)
    assert isinstance(recording, RunRecording)
    return recording


def test_statements_that_ran_in_the_phase_come_by_the_time_they_took(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    assert statements_in(run.phases[0], run) == {
        "db": [
            Statement("SELECT c", 1, 300, 7),
            Statement("SELECT a", 20, 100, 20),
            Statement("SELECT d", 2, 4, 2),
        ]
    }


def test_the_report_has_a_table_of_them(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    write_text(run.folder.summary, judge(run).to_json())
    values = Surroundings().values(read_report(run.folder))
    assert values is not None
    (_, rows) = values["blocks"]
    assert [[cell.text for cell in row][:3] for row in rows.rows] == [
        ["SELECT c", "74 %", "300\u00a0ms"],
        ["SELECT a", "25 %", "100\u00a0ms"],
        ["SELECT d", "1 %", "4\u00a0ms"],
    ]
