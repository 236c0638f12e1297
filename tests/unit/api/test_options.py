"""Every option is declared once, and the command line, Python and pytest take the same."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest
from click import Command

import harness
from harness.api.options import BenchOptions, DuetOptions, RunOptions
from harness.cli import bench, duet, run
from tests.support.typed import run_options

ONLY_IN_PYTHON = {"scenario", "arguments", "phases", "gates", "watcher", "turn", "hear"}
ONLY_TYPED = {"json", "inconclusive", "locustfile", "headless"}
"""How results are shown and end the process, and what Locust's users are used to typing."""


@pytest.mark.parametrize(
    ("call", "command", "options"),
    [
        (harness.run, run.command, RunOptions),
        (harness.duet, duet.command, DuetOptions),
        (harness.bench, bench.command, BenchOptions),
    ],
)
def test_a_call_and_a_command_take_the_declared_options(call: Any, command: Command, options: type) -> None:
    declared = {field.name for field in fields(options) if field.metadata}
    typed = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    assert {name[2:].replace("-", "_") for name in typed} - ONLY_TYPED == declared
    signature = inspect.signature(call)
    assert [*signature.parameters] == [field.name for field in fields(options)]
    assert set(signature.parameters) - declared <= ONLY_IN_PYTHON


def test_the_signature_of_a_run_is_public() -> None:
    signature = inspect.signature(harness.run)
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    assert [name for name, kind in kinds.items() if kind == inspect.Parameter.POSITIONAL_OR_KEYWORD] == [
        "scenario",
        "arguments",
    ]
    assert signature.parameters["out"].default == "reports"
    assert signature.return_annotation == "Run"
    assert harness.run.__doc__


def test_what_is_typed_is_what_a_call_would_say() -> None:
    typed = ["a.py", "--workers", "2", "-T", "x", "-T", "y", "--set", "a=1", "--pid", "7", "--host", "http://h"]
    options = run_options(*typed, "--seed", "3", "--", "--own", "Buyer")
    assert (options.scenario, tuple(options.arguments), options.workers) == ("a.py", ("--own", "Buyer"), 2)
    assert (options.tags, options.set, options.pid, options.seed) == (("x", "y"), ("a=1",), 7, 3)
    assert (options.profile, options.bind, str(options.out)) == (None, None, "reports")
