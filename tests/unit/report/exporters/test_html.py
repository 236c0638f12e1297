"""Pieces of the page: JSON that cannot end its script, and sentences with code in them."""

from __future__ import annotations

import base64
import gzip
import json
import re

from harness.report.exporters.html import packed_json, prose


def test_packed_json_holds_nothing_that_could_end_its_script() -> None:
    value = {"</script><!--": ["&", "\u2028", "\ud800"]}
    text = packed_json(value)
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", text)
    assert json.loads(gzip.decompress(base64.b64decode(text))) == value


def test_prose_sets_commands_as_code_and_escapes_the_rest() -> None:
    assert prose("type `a <b>` & go") == "type <code>a &lt;b&gt;</code> &amp; go"
    assert prose("one ` alone <i>") == "one ` alone &lt;i&gt;"
