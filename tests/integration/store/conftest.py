"""Every test of the store runs on both databases that it can be."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store."""
    yield f"sqlite:///{tmp_path}/team.sqlite"
