"""Profiles and readings: read as written, damage named by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.messages import message
from harness.record.profiles import Profile, ProfileIndex, Stack, read_folded, write_folded
from harness.record.resources import READINGS, Reading

NOTE = message("memory-not-traced", reason="no {memray}")


def test_an_index_is_read_as_saved(tmp_path: Path) -> None:
    index = ProfileIndex([Profile("cpu", 1, "cpu/1.folded", "samples", 30.0, 100.0)], [NOTE])
    index.save(tmp_path / "profiles.json")
    loaded = ProfileIndex.load(tmp_path / "profiles.json")
    assert loaded.profiles == index.profiles
    assert [(note.code, note.params, str(note)) for note in loaded.notes] == [(NOTE.code, NOTE.params, str(NOTE))]


def test_an_index_without_codes_is_read(tmp_path: Path) -> None:
    (tmp_path / "profiles.json").write_text('{"profiles": [], "notes": ["no {braces} here"]}')
    assert [str(note) for note in ProfileIndex.load(tmp_path / "profiles.json").notes] == ["no {braces} here"]


def test_no_index_is_an_empty_one(tmp_path: Path) -> None:
    assert ProfileIndex.load(tmp_path / "profiles.json") == ProfileIndex()


@pytest.mark.parametrize("text", ["{", '{"profiles": [{"kind": "cpu"}], "notes": []}', '{"notes": []}'])
def test_a_damaged_index_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "profiles.json").write_text(text)
    with pytest.raises(HarnessError, check=lambda error: error.code in ("invalid-json", "file-damaged")) as raised:
        ProfileIndex.load(tmp_path / "profiles.json")
    assert str(raised.value.where).startswith(str(tmp_path / "profiles.json"))


def test_stacks_are_read_as_written(tmp_path: Path) -> None:
    stacks = [Stack(("main (app.py:1)", "<lambda> (my app.py:20)"), 3), Stack(("thread (0x7F)",), 1)]
    write_folded(tmp_path / "cpu.folded", stacks)
    assert read_folded(tmp_path / "cpu.folded") == stacks


@pytest.mark.parametrize("line", ["nonsense", "main (app.py:1) many", " 5"])
def test_a_line_that_is_not_a_stack_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "cpu.folded").write_text(f"main (app.py:1) 5\n\n{line}\n")
    with pytest.raises(HarnessError, check=lambda error: error.code == "profile-damaged") as raised:
        read_folded(tmp_path / "cpu.folded")
    assert raised.value.where == f"{tmp_path / 'cpu.folded'}:3"


def test_readings_are_read_as_written(tmp_path: Path) -> None:
    readings = [Reading(1.5, "target", {"rss_bytes": 9.0}), Reading(2.5, "machine", {"cpu_percent": 70.0})]
    writer = READINGS.writer(tmp_path / "resources")
    for reading in readings:
        writer.write(reading)
    assert READINGS.read(tmp_path / "resources") == readings
    writer.close()
    assert READINGS.read(tmp_path / "nothing") == []
