"""A step of GitHub Actions: the job's page gets the summary, as far as it fits; a target cannot give commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cli.github import _LARGEST, as_text_only, report_to_github
from harness.cli.outcome import show_outcome
from harness.record.run_folder import RunFolder
from harness.report.exporters.markdown import comment_markdown, summary_markdown
from tests.support.baselines import make_summary


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "page.md"))
    return tmp_path / "page.md"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "run")  # without a plan: the annotations then name no file


def test_each_run_of_a_step_adds_its_summary(page: Path, folder: RunFolder) -> None:
    for number in (1, 2):
        report_to_github(folder, make_summary(number))
    assert page.read_text() == "".join(f"{summary_markdown(make_summary(number))}\n" for number in (1, 2))


@pytest.mark.parametrize("room", [0, 300, 100_000])
def test_what_github_would_refuse_is_not_written(room: int, page: Path, folder: RunFolder) -> None:
    summary = make_summary()
    page.write_bytes(b"x" * (_LARGEST - room))
    report_to_github(folder, summary)
    assert page.stat().st_size <= _LARGEST
    expected = {0: "", 300: f"{comment_markdown(summary)}\n", 100_000: f"{summary_markdown(summary)}\n"}
    assert len(f"{comment_markdown(summary)}\n".encode()) < 300 < len(f"{summary_markdown(summary)}\n".encode())
    assert page.read_text().lstrip("x") == expected[room]


def test_a_page_that_cannot_be_written_is_reported_and_changes_nothing(
    page: Path, folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    page.mkdir()
    report_to_github(folder, make_summary())
    assert "the job's summary could not be written: " in capsys.readouterr().err


def test_a_target_cannot_give_github_commands(
    page: Path, folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = make_summary().model_copy(update={"warnings": ["the target said " + "::add-mask::pass " * 20]})
    show_outcome(folder, summary, as_json=False)
    result = capsys.readouterr().err
    stopped = re.match(r"::stop-commands::([0-9a-f]{32})\n(.*)::\1::\n", result, re.DOTALL)
    assert stopped is not None
    assert re.search(r"^\s*::add-mask::", stopped[2], re.MULTILINE)  # as GitHub would read it
    assert "::add-mask::" not in result.replace(stopped[0], "")
    assert page.exists()


def test_no_target_can_know_the_word_that_lets_commands_through() -> None:
    assert as_text_only("x\n") != as_text_only("x\n")
