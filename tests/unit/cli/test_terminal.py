"""Nothing that is printed steers the terminal but rich."""

from __future__ import annotations

import io

import pytest
from rich.table import Table
from rich.text import Text

from harness.cli.std_streams import print_json, say
from harness.cli.terminal import Terminal

HOSTILE = "a\x1b[2J\x1b]0;title\x07\x9b31mb\u202ec\r\x00d"
STEERING = set("\x1b\x07\x9b\u202e\r\x00")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_texts_of_others_come_out_harmless(is_terminal: bool) -> None:
    output = io.StringIO()
    terminal = Terminal(file=output, force_terminal=is_terminal, width=100, color_system=None)
    table = Table(title=HOSTILE)
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    for shown in (HOSTILE, Text(HOSTILE), table):
        terminal.print(shown)
    assert not STEERING & set(output.getvalue())
    assert "a" in output.getvalue()


def test_rich_may_still_colour() -> None:
    output = io.StringIO()
    Terminal(file=output, force_terminal=True, width=100, color_system="standard").print(Text("a", style="red"))
    assert output.getvalue() == "\x1b[31ma\x1b[0m\n"


def test_lines_and_json_are_harmless_too(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    print_json({HOSTILE: [HOSTILE]})
    printed = capsys.readouterr()
    assert not STEERING & set(printed.err + printed.out)
