"""The target that the environment names."""

from __future__ import annotations

import pytest

from harness.cli.target_options import TargetSelection, target_of
from harness.errors import HarnessError


def test_nothing_is_given_without_a_host() -> None:
    assert target_of({"HARNESS_HOST": "", "HARNESS_PID": "1", "HARNESS_ALLOW_HOST": "shop"}) is None


def test_process_and_allowed_hosts_go_with_the_host() -> None:
    assert target_of({"HARNESS_HOST": "http://shop"}) == TargetSelection("http://shop", None, ())
    given = {"HARNESS_HOST": "http://shop", "HARNESS_PID": "1", "HARNESS_ALLOW_HOST": "shop proxy"}
    assert target_of(given) == TargetSelection("http://shop", 1, ("shop", "proxy"))


@pytest.mark.parametrize("pid", ["0", "-1", "shop", "1.5", "9" * 5000])
def test_a_process_that_is_none_is_told(pid: str) -> None:
    with pytest.raises(HarnessError, match="no number of a process") as told:
        target_of({"HARNESS_HOST": "http://shop", "HARNESS_PID": pid})
    assert told.value.where == "HARNESS_PID"
