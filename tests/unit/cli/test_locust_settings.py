"""What Locust would read of load and host, and the harness does not, is named with where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.run import settings_of_locust
from harness.messages import Option

NOT_GIVEN = dict.fromkeys(("host", "users", "spawn_rate", "run_time"))
SPAWN_RATE, HOST = Option("spawn_rate"), Option("host")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_a_variable_is_named_unless_the_command_line_sets_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUST_SPAWN_RATE", "5")
    monkeypatch.setenv("LOCUST_HOST", "http://shop")
    found = [("LOCUST_HOST", HOST), ("LOCUST_SPAWN_RATE", SPAWN_RATE)]
    assert list(settings_of_locust(NOT_GIVEN)) == found
    assert list(settings_of_locust(NOT_GIVEN | {"host": "http://other"})) == found[1:]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("locust.conf", "locustfile = a.py\n# users = 5\nspawn-rate = 5\n"),
        ("locust.conf", "--spawn-rate: 5"),
        ("locust.conf", "spawn_rate 5"),
        ("home/.locust.conf", "spawn-rate=5"),
        ("pyproject.toml", "[tool.other]\nusers = 5\n[tool.locust]\nspawn-rate = 5\n"),
    ],
)
def test_each_configuration_file_of_locust_is_named(file: str, text: str) -> None:
    Path(file).write_text(text)
    shown = file.replace("home/", "~/")
    assert list(settings_of_locust(NOT_GIVEN)) == [(f"spawn-rate in {shown}", SPAWN_RATE)]


@pytest.mark.parametrize("text", ["[tool]\nlocust = 3", "tool = 3", "[[[", "x = 1", "[tool.locust]\nx = 1"])
def test_a_file_that_sets_nothing_for_locust_is_not_named(text: str) -> None:
    Path("pyproject.toml").write_text(text)
    Path("locust.conf").write_bytes(b"\xff\xfe users = 5")
    assert not list(settings_of_locust(NOT_GIVEN))
