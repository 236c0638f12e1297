"""The examples of the documentation, as a reader copies them."""

from __future__ import annotations

import re

from tests.support.command import REPOSITORY

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: str, language: str) -> list[str]:
    """The blocks of ``document`` (a path in the repository) in a language; those within a list are left out."""
    return [text for found, text in _BLOCK.findall((REPOSITORY / document).read_text()) if found == language]


def python_blocks(document: str) -> list[str]:
    """The Python of ``document``, block by block."""
    return blocks(document, "python")
