"""Which differences between two installations keep a worker out."""

from __future__ import annotations

import pytest

from harness.cluster.joining import differences, versions


def test_the_same_installation_differs_in_nothing() -> None:
    assert differences(versions(), versions()) == ([], [])


@pytest.mark.parametrize("name", ["messages", "harness", "locust"])
def test_versions_that_affect_the_numbers_must_agree(name: str) -> None:
    rejected, warned = differences(versions(), versions() | {name: "0.9"})
    assert [difference.params for difference in rejected] == [
        {"name": name, "worker": "0.9", "master": versions()[name]}
    ]
    assert warned == []


@pytest.mark.parametrize("name", ["python", "gevent"])
def test_versions_that_affect_only_speed_are_warned_of(name: str) -> None:
    rejected, warned = differences(versions(), versions() | {name: "0.9"})
    assert (rejected, len(warned)) == ([], 1)


def test_a_worker_without_versions_is_rejected() -> None:
    assert len(differences(versions(), {})[0]) == 3
