"""Pieces of the page: JSON that cannot end its script, and sentences with code in them."""

from __future__ import annotations

import json

from harness.report.exporters.html import json_island, prose


def test_a_json_island_holds_nothing_that_could_end_it() -> None:
    value = {"</script><!--": ["&", "\u2028", "\ud800"]}
    text = json_island(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_prose_sets_commands_as_code_and_escapes_the_rest() -> None:
    assert prose("type `a <b>` & go") == "type <code>a &lt;b&gt;</code> &amp; go"
    assert prose("one ` alone <i>") == "one ` alone &lt;i&gt;"
