"""Finds ``harness`` commands in scripts, workflows and documents, and tries them on our parser."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from string import Template

import click

from harness.cli import cli

_BEFORE = ("if", "then", "else", "do", "!", "{", "(", "uv", "run", "--no-sync", "exec")
_ASSIGNED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")
_ENDS = re.compile(r"[|&;()]+")
_ELSEWHERE = re.compile(r">.*")


def commands(shell: str, program: str, values: Mapping[str, str] | None = None) -> Iterator[list[str]]:
    """The arguments of every call of ``program`` in ``shell``, its variables replaced by ``values``."""
    for line in shell.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()")
        lexer.whitespace_split = True
        call: list[str] = []
        for word in [*lexer, ";"]:
            if not _ENDS.fullmatch(word):
                call.append(word)
                continue
            while call and (call[0] in _BEFORE or _ASSIGNED.fullmatch(call[0])):
                call.pop(0)
            if call and call[0] == program:
                own = [part for part in call[1:] if part != "$@" and not _ELSEWHERE.fullmatch(part)]
                yield [Template(part).safe_substitute(values or {}) for part in own]
            call = []


def parse(arguments: list[str]) -> click.Context:
    """What ``harness ARGUMENTS`` means, with nothing of it done. Raises click's exceptions where it means nothing."""
    context = click.Context(cli, info_name="harness")
    command: click.Command = cli
    rest = list(arguments)
    while isinstance(command, click.Group):
        name = rest.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name!r} in {arguments}"
        command = found
        if isinstance(command, click.Group):
            context = click.Context(command, parent=context, info_name=name)
    return command.make_context(command.name, rest, parent=context)
