"""GitHub's Markdown, in which no text from a target becomes markup."""

from __future__ import annotations

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from harness.report.exporters.markdown import escaped

NASTY = "a|b `c` <img src=x>\n**d** [e](f) @team \x1b[31m\x00"


def test_special_characters_are_text() -> None:
    assert escaped(NASTY) == r"a\|b \`c\` &lt;img src=x&gt; \*\*d\*\* \[e\](f) @&#8203;team ␀"


LINKED = re.compile(
    r"(?:^|\W)@[a-z0-9]|#\d|\bgh-\d|(?:https?|ftp)://|(?:^|[\s*_~(])www\.|[\w.+-]+@[\w-]+\.\w", re.IGNORECASE
)
"""What GitHub makes a mention or a link of in the rendered text: names, issues, URLs, addresses."""


@pytest.mark.parametrize(
    "text",
    [
        "@team",
        "by @org/team, @a-b",
        "fixes #1",
        "me/shop#12 (#3)",
        "gh-7",
        "GET https://evil.example/x?#1",
        "HTTP://x",
        "www.evil.example",
        "_www.evil.example",
        "user@evil.example",
        "a@_b.example",
        "\\@team \\#1",
        "&#64;team",
    ],
)
def test_nobody_is_called_and_nothing_is_linked(text: str) -> None:
    """In what is rendered, where backslashes and entities are resolved and GitHub looks for names and numbers."""
    assert LINKED.search(text) or text == "&#64;team"
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(escaped(text))
    shown = unescape(re.sub(r"<[^>]+>", "", rendered))
    assert not LINKED.search(shown)
    assert shown.replace("\u200b", "").strip() == text


@pytest.mark.parametrize("text", ["GET /a:8000//b", "high-5", "# 1", "a @ b", "wwwx.y", "12 ms"])
def test_text_that_is_not_a_link_is_unchanged(text: str) -> None:
    assert "&#8203;" not in escaped(text)


@pytest.mark.parametrize(
    ("text", "written"), [("1. one", r"1\. one"), ("- one", r"\- one"), ("+ one", r"\+ one"), ("1 of 3.", "1 of 3.")]
)
def test_a_text_does_not_begin_a_list(text: str, written: str) -> None:
    assert escaped(text) == written


def test_a_very_long_text_is_cut() -> None:
    assert len(escaped("x" * 5000)) == 300


@pytest.mark.parametrize("after", ["", " and more"])
def test_a_command_is_not_cut(after: str) -> None:
    command = r"`harness baseline accept RUN --why TEXT`"
    text = f"{'x' * 280} {command}{after}"
    assert escaped(text) == f"{'x' * 280} {command}{'…' if after else ''}".replace("`", r"\`")
    assert len(escaped("x" * 290 + "`" + "y" * 5000 + "`")) == 301  # no command is that long
