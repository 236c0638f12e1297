"""The proxies of a run: how the target and the load are led through them, and what is said before any load."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from harness.control.proxies import start_proxies
from harness.errors import HarnessError
from harness.messages import Message
from harness.plan.model.fault import PlannedProxy
from harness.plan.model.run import RunPlan
from harness.plan.model.target import AttachedTarget, CommandTarget, Variant
from harness.proxies.toxiproxy import ask_toxiproxy
from tests.support.children import free_port, wait_until
from tests.support.faults import is_stopped, suspend
from tests.support.plans import make_plan, steady
from tests.support.relay import relay
from tests.support.targets import all_ended
from tests.support.toxiproxy import start_toxiproxy

WHERE = {key: f"p.toml:{line}: {key}" for line, key in enumerate(("", "upstream", "listen", "toxiproxy"), 1)}


def plan_with(*proxies: PlannedProxy) -> RunPlan:
    return make_plan([steady()]).model_copy(update={"proxies": proxies})


@contextmanager
def listening() -> Iterator[str]:
    """An address at which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_managed_target_finds_its_dependencies_through_the_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "geheim")
    target = CommandTarget(command="x", environment={"DATABASE_URL": "direct", "OTHER": "kept"})
    environment = {"DATABASE_URL": "pg://me:$DB_PASSWORD@{address}/{shop}", "DB_PORT": "{port}", "DB_HOST": "{host}"}
    with listening() as upstream:
        proxy = PlannedProxy(name="db", upstream=upstream, environment=environment)
        with start_proxies(plan_with(proxy), Path(os.devnull), print) as proxies:
            (place,) = proxies.places["db"]
            led = proxies.with_addresses(target)
            assert isinstance(led, CommandTarget)
            assert led.environment == {
                "DATABASE_URL": f"pg://me:geheim@127.0.0.1:{place.port}/{{shop}}",
                "DB_PORT": str(place.port),
                "DB_HOST": "127.0.0.1",
                "OTHER": "kept",
            }
            attached = AttachedTarget(url="http://127.0.0.1:1")
            assert proxies.with_addresses(attached) is attached
            pids = proxies.pids()
            assert len(pids) == 1
        assert all_ended(pids)


def test_the_proxies_of_targets_lead_to_each() -> None:
    with listening() as a, listening() as b:
        plan = plan_with(PlannedProxy(name="target"))
        plan = plan.model_copy(update={"targets": (Variant(name="a", target=plan.target),) * 2})
        with start_proxies(plan, Path(os.devnull), print) as proxies:
            through = proxies.put_before([f"http://{a}", f"http://{b}"], plan)
            assert [(place.host, place.port) for place in proxies.places["target"]] == through
            assert len({*through}) == 2


def test_without_proxies_no_process_runs() -> None:
    plan = plan_with()
    with start_proxies(plan, Path(os.devnull), print) as proxies:
        assert proxies.pids() == []
        assert proxies.put_before(["http://127.0.0.1:1"], plan) == [None]


def test_proxies_that_have_ended_are_reported_at_the_end() -> None:
    with listening() as upstream:
        plan = plan_with(PlannedProxy(name="db", upstream=upstream))
        with start_proxies(plan, Path(os.devnull), print) as proxies:
            assert proxies.notices() == []
            (pid,) = proxies.pids()
            os.kill(pid, signal.SIGKILL)
            (note,) = wait_until(proxies.notices)  # its parent is notified once all of its threads have ended
            assert note.code == "proxies-ended"


def test_stopped_proxies_are_reported_and_continue() -> None:
    with listening() as upstream:
        plan = plan_with(PlannedProxy(name="db", upstream=upstream))
        with start_proxies(plan, Path(os.devnull), print) as proxies:
            holder = psutil.Process(proxies.pids()[0])
            suspend(holder)
            assert [note.code for note in proxies.notices()] == ["proxies-ended"]
            wait_until(lambda: not is_stopped(holder))


def test_an_upstream_where_nothing_listens_is_reported() -> None:
    proxy = PlannedProxy(name="db", upstream=f"127.0.0.1:{free_port()}", where=WHERE)
    with pytest.raises(HarnessError) as refused, start_proxies(plan_with(proxy), Path(os.devnull), print):
        pass
    assert (refused.value.code, refused.value.exit_code) == ("proxy-upstream-unreachable", 2)
    assert refused.value.where == WHERE["upstream"]


def test_an_upstream_that_the_target_starts_may_come_later() -> None:
    proxy = PlannedProxy(name="vendor", upstream=f"127.0.0.1:{free_port()}", of_target=True)
    with start_proxies(plan_with(proxy), Path(os.devnull), print) as proxies:
        assert len(proxies.places["vendor"]) == 1


def test_an_address_in_use_is_reported() -> None:
    with listening() as upstream:
        proxy = PlannedProxy(name="db", upstream=upstream, listen=upstream, where=WHERE)
        with pytest.raises(HarnessError) as refused, start_proxies(plan_with(proxy), Path(os.devnull), print):
            pass
    assert (refused.value.code, refused.value.exit_code) == ("proxy-address-unusable", 2)
    assert refused.value.where == WHERE["listen"]


def test_a_toxiproxy_gets_a_proxy_for_the_run() -> None:
    with start_toxiproxy("documented") as url:
        proxy = PlannedProxy(name="db", upstream="127.0.0.1:1", toxiproxy=url, environment={"DB": "{address}"})
        with start_proxies(plan_with(proxy), Path(os.devnull), print) as proxies:
            assert proxies.pids() == []
            listen = ask_toxiproxy(url, "GET", "/proxies/db")["listen"]
            assert proxies.environment == {"DB": listen}
        assert ask_toxiproxy(url, "GET", "/proxies") == {}


def test_a_toxiproxy_keeps_the_proxy_that_it_had() -> None:
    with start_toxiproxy("documented") as url:
        made = {"name": "db", "upstream": "127.0.0.1:1", "listen": "127.0.0.1:0"}
        ask_toxiproxy(url, "POST", "/proxies", made)
        with start_proxies(plan_with(PlannedProxy(name="db", toxiproxy=url)), Path(os.devnull), print):
            pass
        assert [*ask_toxiproxy(url, "GET", "/proxies")] == ["db"]


@pytest.mark.parametrize(("had", "code"), [(False, "toxiproxy-not-removed"), (True, "toxiproxy-not-cleared")])
def test_what_may_be_left_in_a_toxiproxy_is_reported(had: bool, code: str) -> None:
    said: list[Message] = []
    with ExitStack() as toxiproxy:
        url = toxiproxy.enter_context(start_toxiproxy("documented"))
        if had:
            ask_toxiproxy(url, "POST", "/proxies", {"name": "db", "upstream": "127.0.0.1:1", "listen": "127.0.0.1:0"})
        with relay("127.0.0.1", int(url.rpartition(":")[2])) as port:
            proxy = PlannedProxy(name="db", upstream="127.0.0.1:1", toxiproxy=f"http://127.0.0.1:{port}")
            with start_proxies(plan_with(proxy), Path(os.devnull), said.append):
                toxiproxy.close()  # the relay still accepts connections
    assert [(each.code, each.params["name"]) for each in said] == [(code, "db")]


def test_a_toxiproxy_that_has_ended_needs_no_removing() -> None:
    said: list[Message] = []
    with ExitStack() as toxiproxy:
        url = toxiproxy.enter_context(start_toxiproxy("documented"))
        proxy = PlannedProxy(name="db", upstream="127.0.0.1:1", toxiproxy=url)
        with start_proxies(plan_with(proxy), Path(os.devnull), said.append):
            toxiproxy.close()
    assert said == []


def test_a_missing_toxiproxy_is_reported() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with (
        pytest.raises(HarnessError) as refused,
        start_proxies(plan_with(PlannedProxy(name="db", toxiproxy=url, where=WHERE)), Path(os.devnull), print),
    ):
        pass
    assert (refused.value.code, refused.value.exit_code) == ("toxiproxy-unreachable", 2)
    assert refused.value.where == WHERE["toxiproxy"]
