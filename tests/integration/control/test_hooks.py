"""The hooks of a scenario: what they return, and how a child that runs one may end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.control.hooks import HookRun, Verification, verify_target
from harness.control.user_code import describe_scenario
from harness.engine.scenario.hooks import MOST_DATA_BYTES
from harness.errors import HarnessError
from harness.messages import Message
from harness.plan.description import ScenarioDescription
from harness.plan.dsl import Hook
from tests.support.counting_server import CountingServer
from tests.support.engine import scenario
from tests.support.fork_servers import fork_server

USER = "import harness\nfrom locust import User, task\nclass Shopper(User):\n    @task\n    def buy(self): pass\n"
NOWHERE = "http://127.0.0.1:9"


def run(folder: Path, text: str, name: Hook, url: str = NOWHERE, *, timeout_s: float = 60.0) -> dict[str, Any]:
    path = scenario(folder, USER + text)
    return HookRun([path], timeout_s, fork_server())(name, url, [] if name == "setup" else [{"token": "abc"}])


def reason_of(result: dict[str, Any]) -> Message:
    return Message.from_data(result["reason"])


def verified(folder: Path, body: str) -> Verification:
    return verify_target(
        HookRun([scenario(folder, f"{USER}def verify(target):\n{body}")], 60.0, fork_server()), NOWHERE
    )


def described(folder: Path, text: str) -> ScenarioDescription:
    return describe_scenario(scenario(folder, text), fork_server=fork_server())


@pytest.mark.parametrize(
    ("hook", "code"),
    [
        ("async def verify(target):\n    assert False\n", "hook-async"),
        ("async def verify(target):\n    yield 'no oversell', False\n", "hook-async"),
        ("def teardown(target):\n    yield\n    target.delete('/made')\n", "hook-yields"),
    ],
)
def test_a_hook_that_would_never_run_is_rejected_with_its_line(tmp_path: Path, hook: str, code: str) -> None:
    with pytest.raises(HarnessError) as raised:
        described(tmp_path, USER + hook)
    assert (raised.value.code, raised.value.where) == (code, f"{tmp_path / 'scenario.py'}:6")


def test_what_setup_returns_is_what_json_holds_of_it(server: CountingServer, tmp_path: Path) -> None:
    body = "def setup(target):\n    return {'made': target.post('/made', {'n': 1}), 'ids': (1, 2)}\n"
    result = run(tmp_path, body, "setup", server.url)
    assert (result["status"], result["data"]) == ("pass", {"made": {"ok": True}, "ids": [1, 2]})
    assert server.served == {"POST /made": 1}


@pytest.mark.parametrize(
    ("returned", "code"),
    [
        ("{1, 2}", "setup-data-not-json"),
        ("float('nan')", "setup-data-not-json"),
        (r"'\ud800'", "setup-data-not-json"),
        ("10**30", "setup-data-not-json"),
        (f"'x' * {MOST_DATA_BYTES}", "setup-data-too-large"),
    ],
)
def test_what_users_cannot_be_given_is_not_data(tmp_path: Path, returned: str, code: str) -> None:
    result = run(tmp_path, f"def setup(target):\n    return {returned}\n", "setup")
    assert (result["status"], reason_of(result).code, result["data"]) == ("error", code, None)


def test_an_error_of_a_hook_has_the_line_of_the_scenario(server: CountingServer, tmp_path: Path) -> None:
    body = "def setup(target):\n    seed(target)\ndef seed(target):\n    target.get('/status/503')\n"
    reason = reason_of(run(tmp_path, body, "setup", server.url))
    assert (reason.code, reason.params["location"]) == ("hook-raised", f"{tmp_path / 'scenario.py'}:9")
    assert "503" in str(reason.params["error"])


@pytest.mark.parametrize("name", ["verify", "teardown"])
def test_later_hooks_read_what_setup_returned(tmp_path: Path, name: Hook) -> None:
    body = f"def {name}(target):\n    assert harness.setup_data() == {{'token': 'abc'}}\n"
    assert run(tmp_path, body, name)["status"] == "pass"


def test_setup_itself_has_no_data_yet(tmp_path: Path) -> None:
    reason = reason_of(run(tmp_path, "def setup(target):\n    harness.setup_data()\n", "setup"))
    assert (reason.code, reason.params["location"]) == ("hook-raised", f"{tmp_path / 'scenario.py'}:7")


@pytest.mark.slow
def test_a_hook_that_hangs_is_ended_in_time(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as raised:
        run(tmp_path, "def teardown(target):\n    import time; time.sleep(100)\n", "teardown", timeout_s=3.0)
    assert (raised.value.code, raised.value.params["timeout_s"]) == ("scenario-timeout", 3.0)


def test_a_scenario_has_no_data_while_it_is_imported(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as raised:
        described(tmp_path, USER + "harness.setup_data()\n")
    assert (raised.value.code, raised.value.where) == ("setup-data-too-early", f"{tmp_path / 'scenario.py'}:6")


CHECKS = """
    yield "no oversell", 3 <= 5, "of 5"
    yield harness.check("ledger", 4 == 5, "one is missing")
    yield "lost_writes", 3
    yield "ledger", True
    yield ("cents", 0.5)
"""


def test_verify_yields_named_checks_and_figures(tmp_path: Path) -> None:
    result = verified(tmp_path, CHECKS)
    assert (result.status, result.reason) == ("pass", None)
    assert result.to_data()["checks"] == [
        {"name": "no oversell", "value": True, "detail": "of 5"},
        {"name": "ledger", "value": False, "detail": "one is missing"},
        {"name": "lost_writes", "value": 3.0, "detail": ""},
        {"name": "cents", "value": 0.5, "detail": ""},
    ]


def test_of_a_name_that_is_checked_several_times_the_first_failure_counts(tmp_path: Path) -> None:
    body = "    for number in range(4):\n        yield 'stock', number < 2, f'of {number}'\n"
    assert [*verified(tmp_path, body).checks] == [{"name": "stock", "value": False, "detail": "of 2"}]


def test_an_assertion_that_fails_later_keeps_what_was_found(tmp_path: Path) -> None:
    result = verified(tmp_path, "    yield 'first', True\n    assert False, 'gone'\n")
    assert result.status == "fail"
    assert result.reason is not None
    assert (result.reason.code, [check["name"] for check in result.checks]) == ("verify-failed", ["first"])


@pytest.mark.parametrize(
    ("body", "status", "names"),
    [
        ("return True", "pass", []),
        ("return None", "pass", []),
        ("return False", "fail", []),
        ("return {'consistent': True}", "pass", []),
        ("return 'a', True", "pass", ["a"]),
        ("return harness.check('a', True)", "pass", ["a"]),
        ("return [('a', True), ('b', 2)]", "pass", ["a", "b"]),
        ("return ('a', True), ('b', 2)", "pass", ["a", "b"]),
    ],
)
def test_verify_may_return_its_checks_or_nothing(tmp_path: Path, body: str, status: str, names: list[str]) -> None:
    result = verified(tmp_path, f"    {body}\n")
    assert (result.status, [check["name"] for check in result.checks]) == (status, names)


@pytest.mark.parametrize(
    ("yielded", "code"),
    [
        ("True", "verify-not-a-check"),
        ("('a', 'b')", "verify-value-invalid"),
        ("('a', float('inf'))", "verify-value-invalid"),
        ("('', True)", "verify-not-a-check"),
        ("('a', 1); yield ('a', 2)", "verify-figure-twice"),
    ],
)
def test_anything_but_a_check_is_an_error_of_verify(tmp_path: Path, yielded: str, code: str) -> None:
    result = verified(tmp_path, f"    yield {yielded}\n")
    assert result.reason is not None
    assert (result.status, result.reason.code) == ("error", code)


def test_functions_with_a_hooks_name_but_other_parameters_are_not_hooks(tmp_path: Path) -> None:
    own = "def setup(): pass\ndef teardown(a, b): pass\n"
    found = described(tmp_path, USER + own)
    assert (found.has_setup, found.has_teardown) == (False, False)
    plain = USER.replace("import harness\n", "")
    found = described(tmp_path, plain + "def setup(module): pass\ndef teardown(target): pass # of the test\n")
    assert (found.has_setup, found.has_teardown) == (False, True)


def test_the_first_words_of_what_verify_yields_may_be_figures(tmp_path: Path) -> None:
    text = (
        "def verify(target):\n"
        "    token = 'hunter2'\n"
        "    for shard in 'ab':\n"
        "        yield 'lost_writes', target.get('/', auth=(token, 'hunter3'))\n"
        "        yield harness.check('lost_reads', 0)\n"
        "    yield f'{shard}', 'a word'\n"
    )
    assert described(tmp_path, USER + text).known_figures == ("lost_reads", "lost_writes")
    assert described(tmp_path, USER).known_figures is None
