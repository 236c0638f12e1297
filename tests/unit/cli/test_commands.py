"""A command that is mistyped is reported with the one that was meant, as an option is."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.errors import HarnessError
from harness.messages import message
from tests.support.http.users import argument_parser
from tests.support.typed import run_options


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("rnu", "No such command 'rnu'. Did you mean 'run'?"),
        ("baselines", "No such command 'baselines'. Did you mean 'baseline'?"),
        ("frobnicate", "No such command 'frobnicate'.\n"),
    ],
)
def test_the_command_that_was_meant_is_named(typed: str, expected: str) -> None:
    done = CliRunner().invoke(cli, [typed, "x.py"])
    assert done.exit_code == 2
    assert f"Error: {expected}" in done.output


def test_a_scenario_in_place_of_a_command_is_recognized() -> None:
    raised = CliRunner().invoke(cli, ["plain.py", "-u", "5"]).exception
    assert isinstance(raised, HarnessError)
    assert (raised.code, raised.params["arguments"]) == ("command-missing", "plain.py -u 5")


LOCUSTS_PARSER = argument_parser.get_empty_argument_parser(default_config_files=[])
argument_parser.setup_parser_arguments(LOCUSTS_PARSER)
# Not -h: click keeps a command's help options from its first call, which may be another test's, without a group.
LOCUSTS_OPTIONS = [each for action in LOCUSTS_PARSER._actions for each in action.option_strings if each != "-h"]


@pytest.mark.parametrize("option", LOCUSTS_OPTIONS)
def test_an_option_of_locust_gets_no_hint_to_put_it_after_dashes(option: str) -> None:
    hint = str(message("own-options-after-dashes"))
    assert hint not in CliRunner().invoke(cli, ["run", "plain.py", option, "x", "--users", "none"]).output


def test_an_option_that_locust_does_not_have_belongs_after_dashes() -> None:
    assert str(message("own-options-after-dashes")) in CliRunner().invoke(cli, ["run", "plain.py", "--its-own"]).output


@pytest.mark.parametrize(
    "typed",
    [
        ["plain.py", "-u", "5", "-r", "2", "-t", "9s", "-H", "http://localhost:1", "--", "Buyer"],
        [
            "-f",
            "plain.py",
            "--headless",
            "--users",
            "5",
            "--spawn-rate",
            "2",
            "-t",
            "9s",
            "-H",
            "http://localhost:1",
            "Buyer",
        ],
    ],
)
def test_a_quick_run_is_typed_as_for_locust(typed: list[str]) -> None:
    options = run_options(*typed)
    assert (options.scenario, options.arguments, options.host) == ("plain.py", ("Buyer",), "http://localhost:1")
    assert (options.users, options.spawn_rate, options.run_time) == (5, 2, "9s")
