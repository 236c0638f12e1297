"""The keys of the kinds network, dependency and pressure: what goes together, and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.errors import HarnessError, InvalidValue
from harness.faults.command import CommandFault
from harness.faults.dependency import DependencyFault
from harness.faults.fault import Fault
from harness.faults.network import NetworkFault
from harness.faults.place import Place
from harness.faults.pressure import PressureFault
from harness.proxies.conditions import CLEAR, RETRANSMIT_S, Conditions

DATABASE, CACHE = "postgresql://me:$PASSWORD@127.0.0.1/shop", "redis://127.0.0.1:6380/0"


@pytest.mark.parametrize(
    ("kind", "settings", "code"),
    [
        (NetworkFault, {"between": "db"}, "fault-network-without-effect"),
        (NetworkFault, {"between": "db", "refuse": True, "reset_after": 0}, "fault-network-excludes"),
        (NetworkFault, {"between": "db", "refuse": True, "latency": "1s"}, "fault-network-excludes"),
        (NetworkFault, {"between": "db", "refuse": True, "blackhole": True}, "fault-network-excludes"),
        (NetworkFault, {"between": "db", "jitter": "1s"}, "fault-jitter-too-large"),
        (NetworkFault, {"between": "db", "latency": "1s", "jitter": "2s"}, "fault-jitter-too-large"),
        (NetworkFault, {"between": "db", "loss": "100%"}, "fault-loss-of-all"),
        (DependencyFault, {"url": DATABASE}, "fault-dependency-effects"),
        (DependencyFault, {"url": DATABASE, "fill": True, "lock": "orders"}, "fault-dependency-effects"),
        (DependencyFault, {"url": DATABASE, "flush": True}, "fault-dependency-other-server"),
        (DependencyFault, {"url": CACHE, "lock": "orders"}, "fault-dependency-other-server"),
        (DependencyFault, {"url": "mysql://127.0.0.1/shop", "fill": True}, "fault-dependency-url-invalid"),
        (DependencyFault, {"url": "postgresql:///shop", "fill": True}, "fault-dependency-url-invalid"),
        (DependencyFault, {"url": "redis://127.0.0.1:port", "flush": True}, "fault-dependency-url-invalid"),
        (DependencyFault, {"url": "redis://$HOST:6379", "flush": True}, "fault-dependency-url-invalid"),
        (DependencyFault, {"url": "postgresql://u:pw@[::1/shop", "fill": True}, "fault-dependency-url-invalid"),
        (DependencyFault, {"url": f"{DATABASE}?host=db.example", "fill": True}, "fault-dependency-url-elsewhere"),
        (DependencyFault, {"url": f"{DATABASE}?HOSTADDR=10.0.0.9", "fill": True}, "fault-dependency-url-elsewhere"),
        (DependencyFault, {"url": f"{CACHE}?p%6frt=6379", "flush": True}, "fault-dependency-url-elsewhere"),
        (DependencyFault, {"url": DATABASE, "fill": 0}, "fault-fill-invalid"),
        (DependencyFault, {"url": DATABASE, "fill": "all"}, "fault-fill-invalid"),
        (CommandFault, {"start": "true", "stop": "a\0b"}, "fault-command-invalid"),
        (CommandFault, {"start": "true", "stop_url": "http://"}, "fault-url-invalid"),
        (CommandFault, {"start": "true", "stop_url": "http://[::1/"}, "fault-url-invalid"),
        (CommandFault, {"start": "true", "stop_url": "http://h:port/"}, "fault-url-invalid"),
        (PressureFault, {}, "fault-pressure-without-effect"),
        (PressureFault, {"cpu": "10%", "folder": "/tmp"}, "fault-folder-without-disk"),
        (PressureFault, {"of": "target", "disk": "1GiB"}, "fault-disk-of-target"),
    ],
)
def test_what_makes_no_sense_is_refused(kind: type[Fault], settings: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        kind.model_validate(settings)
    (error,) = refused.value.errors()
    cause = error["ctx"]["error"]
    assert isinstance(cause, InvalidValue)
    assert cause.code == code


@pytest.mark.parametrize(
    "fault",
    [
        NetworkFault.model_validate({"between": "db", "latency": "200ms", "jitter": "50ms", "share": "50%"}),
        NetworkFault.model_validate({"between": "db", "bandwidth": "1MB/s", "reset_after": "10KB", "loss": "1%"}),
        NetworkFault.model_validate({"between": "db", "reset_after": 0}),
        DependencyFault.model_validate({"url": DATABASE, "fill": 5}),
        PressureFault.model_validate({"cpu": "50%", "memory": "10%", "disk": "1GiB"}),
    ],
)
def test_another_process_gets_the_same_fault(fault: Fault) -> None:
    settings = fault.model_dump(mode="json", exclude_unset=True)
    assert type(fault).model_validate(settings) == fault


def test_two_faults_on_one_proxy_act_on_one_thing() -> None:
    slow, dead = NetworkFault(between="db", latency=1.0), NetworkFault(between="db", refuse=True)
    assert slow.thing == dead.thing != NetworkFault(between="cache", refuse=True).thing


def test_a_dependency_is_named_by_host_and_port() -> None:
    assert DependencyFault(url=DATABASE, fill=True).outside == ("127.0.0.1:5432",)
    assert DependencyFault(url=CACHE, flush=True).outside == ("127.0.0.1:6380",)
    assert DependencyFault(url="rediss://u@[::1]/1", flush=True).outside == ("[::1]:6379",)


@pytest.mark.parametrize("password", ["p@ss", "p/ss", "@db.example:1/"])
def test_a_password_cannot_change_the_host(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", password)
    fault = DependencyFault(url=DATABASE, fill=True)
    with pytest.raises(HarnessError) as refused:
        fault.check(Place(allowed=fault.outside))
    assert (refused.value.code, refused.value.params["url"]) == (
        "fault-dependency-url-split",
        "postgresql://***@127.0.0.1/shop",
    )


def test_an_unknown_proxy_is_reported() -> None:
    with pytest.raises(HarnessError) as unknown:
        NetworkFault(between="db", refuse=True).check(Place())
    assert (unknown.value.code, unknown.value.params["name"]) == ("fault-proxy-unknown", "db")


def test_conditions_delay_what_they_are_to_delay() -> None:
    late = Conditions(latency_s=0.2, jitter_s=0.05)
    drawn = [late.late_by_s(from_upstream=True) for _ in range(200)]
    assert 0.15 <= min(drawn) < max(drawn) <= 0.25
    assert late.late_by_s(from_upstream=False) == 0.0
    lost = {Conditions(loss=0.5).late_by_s(from_upstream=False) for _ in range(200)}
    assert {0.0, RETRANSMIT_S} <= lost
    assert all(round(each / RETRANSMIT_S) + 1 in {2**times for times in range(11)} for each in lost)
    assert b"".join(Conditions(bytes_per_s=1000).pieces(b"x" * 99)) == b"x" * 99
    assert max(map(len, Conditions(bytes_per_s=1000).pieces(b"x" * 99))) == 20
    assert not CLEAR.delays
