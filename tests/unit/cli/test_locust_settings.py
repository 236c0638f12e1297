"""What Locust would read of variables and files, and the harness does not, is named with where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from harness.cli.locust_settings import ignored
from harness.messages import Message, Option, message

NOT_GIVEN = dict.fromkeys(("host", "users", "spawn_rate", "run_time", "tags", "exclude_tags"))


def not_read(setting: str, option: str) -> Message:
    return message("locust-setting-ignored", setting=setting, option=Option(option))


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_a_variable_is_named_unless_the_command_line_sets_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUST_SPAWN_RATE", "5")
    monkeypatch.setenv("LOCUST_HOST", "http://shop")
    found = [not_read("LOCUST_HOST", "host"), not_read("LOCUST_SPAWN_RATE", "spawn_rate")]
    assert list(ignored(NOT_GIVEN)) == found
    assert list(ignored(NOT_GIVEN | {"host": "http://other"})) == found[1:]


def test_variables_without_an_option_of_the_same_name_share_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TAGS", "CSV", "LOGLEVEL", "HEADLESS", "MY_OPTION"):
        monkeypatch.setenv(f"LOCUST_{name}", "1")
    others = message("locust-variables-ignored", variables=["LOCUST_CSV", "LOCUST_LOGLEVEL"])
    assert list(ignored(NOT_GIVEN)) == [not_read("LOCUST_TAGS", "tags"), others]


def test_every_variable_of_locust_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = get_empty_argument_parser()
    setup_parser_arguments(parser)
    variables = {action.env_var for action in parser._actions if getattr(action, "env_var", None)}
    for variable in variables:
        monkeypatch.setenv(variable, "1")
    *settings, others = [each.to_data()["params"] for each in ignored(NOT_GIVEN)]
    named = {*(each["setting"] for each in settings), *others["variables"]}
    assert named == variables - {"LOCUST_HEADLESS"}


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
    assert list(ignored(NOT_GIVEN)) == [not_read(f"spawn-rate in {shown}", "spawn_rate")]


@pytest.mark.parametrize("text", ["[tool]\nlocust = 3", "tool = 3", "[[[", "x = 1", "[tool.locust]\nx = 1"])
def test_a_file_that_sets_nothing_for_locust_is_not_named(text: str) -> None:
    Path("pyproject.toml").write_text(text)
    Path("locust.conf").write_bytes(b"\xff\xfe users = 5")
    assert not list(ignored(NOT_GIVEN))
