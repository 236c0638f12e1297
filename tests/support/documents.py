"""The examples of the documentation, as a reader copies them."""

from __future__ import annotations

import re

from tests.support.command import REPOSITORY

_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def python_blocks(document: str) -> list[str]:
    """The Python of ``document`` (a path in the repository), block by block; those within a list are left out."""
    return _PYTHON.findall((REPOSITORY / document).read_text())
