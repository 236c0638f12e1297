"""What a program is told by the API: the argument by its name, no secret, nothing that steers a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.api import edge
from harness.api.edge import at_the_edge, told
from harness.errors import ExitCode, HarnessError, ManyProblemsError


@pytest.mark.parametrize(
    ("option", "argument"),
    [
        ("--workers", "workers="),
        ("--pid 1234", "pid=1234"),
        ("--out /a folder/x", 'out="/a folder/x"'),
        ("--set phase.steady.hodl=3 s", 'set="phase.steady.hodl=3 s"'),
        ("--host and --target", "host= and target="),
        ("--require, --profile", "require=, profile="),
        ("--tags slow --tags fast", 'tags="slow" tags="fast"'),
        ("--tags slow", 'tags="slow"'),
        ("--set target.command=app --host :: --pid 1", 'set="target.command=app --host :: --pid 1"'),
        ("-- --host shop", "-- --host shop"),
        ("python -m http.server --bind 127.0.0.1 {port}", "python -m http.server --bind 127.0.0.1 {port}"),
        ("profiles/load.toml:3: rate", "profiles/load.toml:3: rate"),
    ],
)
def test_where_names_the_argument(option: str, argument: str) -> None:
    assert told(HarnessError("x", where=option)).where == argument


@pytest.mark.parametrize(
    ("hint", "of_a_call"),
    [
        ("give its URL too: --host URL", 'give its URL too: host="URL"'),
        ("leave --pid out with --target", "leave pid= out with target="),
        ("for this run alone: --allow-host shop.example", 'for this run alone: allow_host="shop.example"'),
        ("for this run alone: --allow-host staging", 'for this run alone: allow_host="staging"'),
        ("Take another: --bind 127.0.0.1:5558", 'Take another: bind="127.0.0.1:5558"'),
        ("With --bind 127.0.0.1 workers may join.", 'With bind="127.0.0.1" workers may join.'),
        ("(--target 'CMD --host 0.0.0.0 --port {port}')", '(target="CMD --host 0.0.0.0 --port {port}")'),
        ("and answer 2xx there: --ready PATH", 'and answer 2xx there: ready="PATH"'),
        ("give --workers 5", "give workers=5"),
        ("such as --set phase.steady.duration=30s", 'such as set="phase.steady.duration=30s"'),
        ("write --set gate.0.KEY=VALUE", 'write set="gate.0.KEY=VALUE"'),
        ("give --set stop_timeout=10s before the --", 'give set="stop_timeout=10s"'),
        ("give --exclude-tags before the --", "give exclude_tags="),
        ('Add --require "p95 < 300ms".', 'Add require="p95 < 300ms".'),
        ("--require 'bench(\"test_x\").mean < 2ms'", "require='bench(\"test_x\").mean < 2ms'"),
        ("`harness baseline set latest --set x` would; --cap-add SYS_PTRACE", None),
        ("see --hostname and --profile-dir", None),
    ],
)
def test_a_hint_names_the_argument(hint: str, of_a_call: str | None) -> None:
    assert told(HarnessError("x", hint=hint)).hint == (of_a_call or hint)


def test_what_the_target_said_stays_as_it_said_it() -> None:
    message = "the target ended with code 2\n    uvicorn: error: unrecognized arguments: --workers 4 --profile full"
    assert told(HarnessError(message)).message == message


def test_every_argument_that_is_an_option_is_known_by_its_name() -> None:
    from harness.cli import bench, gate, run

    options = {
        name for command in (run.command, bench.command, gate.command) for each in command.params for name in each.opts
    }
    assert {name[2:] for name in options if name.startswith("--")} - {"json"} == set(edge._OPTIONS)


def test_secrets_and_control_characters_stay_inside() -> None:
    fault = told(
        ManyProblemsError(
            [HarnessError("http://me:word@host is \x1b[31mred", where="--host", exit_code=ExitCode.BROKEN)]
        )
    )
    assert (str(fault), fault.exit_code) == ("host=: http://***@host is red", ExitCode.BROKEN)


def test_a_program_is_told_of_its_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError, match=r"^expect_workers=: .*\n  Give bind=\"ADDR\" too\.$"):
        harness.run("nothing.py", expect_workers=2)
    with pytest.raises(HarnessError, match=r"^profile=: there is no profile \"smok\""):
        harness.run("nothing.py", profile="smok")


def test_a_misspelt_keyword_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        TypeError, match=r"^run\(\) got an unexpected keyword argument 'profil': did you mean profile=\?"
    ):
        harness.run("x.py", profil="smoke")  # type: ignore[call-arg]  # what is tested


def test_the_command_line_keeps_its_own_words_and_no_longer_than_it_runs() -> None:
    @at_the_edge
    def fail() -> None:
        raise HarnessError("x", where="--host")

    with pytest.raises(HarnessError, match=r"^--host: x$"), edge.in_the_words_of_the_command_line():
        fail()
    with pytest.raises(HarnessError, match=r"^host=: x$"):
        fail()
