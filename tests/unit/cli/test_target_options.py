"""The target that the environment names."""

from __future__ import annotations

import pytest

from harness.api.options import RunOptions
from harness.cli.run import with_target_from
from harness.errors import HarnessError

NOT_GIVEN = RunOptions("scenario.py")


def test_without_a_host_nothing_is_given() -> None:
    environment = {"HARNESS_HOST": "", "HARNESS_PID": "1", "HARNESS_ALLOW_HOST": "shop"}
    assert with_target_from(environment, NOT_GIVEN) == NOT_GIVEN


def test_process_and_allowed_hosts_go_with_the_host() -> None:
    assert with_target_from({"HARNESS_HOST": "http://shop"}, NOT_GIVEN).host == "http://shop"
    environment = {"HARNESS_HOST": "http://shop", "HARNESS_PID": "1", "HARNESS_ALLOW_HOST": "shop proxy"}
    options = with_target_from(environment, RunOptions("scenario.py", allow_host=("cache",)))
    assert (options.host, options.pid, options.allow_host) == ("http://shop", 1, ("cache", "shop", "proxy"))
    assert with_target_from(environment, RunOptions("scenario.py", pid=7)).pid == 7


def test_a_target_on_the_command_line_comes_first() -> None:
    for named in (RunOptions("scenario.py", host="http://a"), RunOptions("scenario.py", target="app")):
        assert with_target_from({"HARNESS_HOST": "http://shop", "HARNESS_PID": "none"}, named) == named


@pytest.mark.parametrize("pid", ["0", "-1", "shop", "1.5", "9" * 5000])
def test_a_wrong_process_number_is_rejected(pid: str) -> None:
    with pytest.raises(HarnessError) as raised:
        with_target_from({"HARNESS_HOST": "http://shop", "HARNESS_PID": pid}, NOT_GIVEN)
    assert (raised.value.code, raised.value.where) == ("pid-not-a-number", "HARNESS_PID")
