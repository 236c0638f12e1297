"""A run receives spans where the target sends them; if it cannot, it continues with one warning and a remedy."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from harness.control.traces import PORT, receive_traces
from harness.errors import HarnessError
from harness.plan.model.run import RunPlan
from harness.plan.model.sampling import Sampling, TraceSampling
from harness.plan.model.target import AttachedTarget, PlannedTarget, ShopTarget, Variant
from tests.support.children import free_port
from tests.support.plans import make_plan, steady
from tests.support.targets import run_folder


def plan_with(traces: TraceSampling | None, target: PlannedTarget | None = None) -> RunPlan:
    variant = Variant(target=target or ShopTarget())
    return make_plan([steady()]).model_copy(update={"sampling": Sampling(traces=traces), "targets": (variant,)})


def test_without_traces_nothing_listens(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with receive_traces(plan_with(None), folder) as traces:
        assert traces.tracing is None
        assert traces.close() == []
    assert not folder.spans.exists()


def test_spans_of_a_managed_target_are_received_on_a_free_port_of_loopback(tmp_path: Path) -> None:
    with receive_traces(plan_with(TraceSampling()), run_folder(tmp_path)) as traces:
        assert traces.tracing is not None
        host, port = traces.tracing.url.removeprefix("http://").split(":")
        assert host == "127.0.0.1"
        socket.create_connection((host, int(port))).close()
        assert traces.close() == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))


def test_without_the_package_a_run_continues_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry.proto")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.proto", None)  # as if it were not installed
    folder = run_folder(tmp_path)
    with receive_traces(plan_with(TraceSampling()), folder) as traces:
        assert traces.tracing is None
        assert [note.code for note in traces.close()] == ["traces-not-installed"]
    assert not folder.spans.exists()


def test_a_running_target_whose_usual_port_is_taken_costs_its_traces_only(tmp_path: Path) -> None:
    attached = AttachedTarget(url="http://127.0.0.1:8000")
    with socket.socket() as taken:
        with suppress(OSError):  # another program may have it already
            taken.bind(("127.0.0.1", PORT))
            taken.listen()
        with receive_traces(plan_with(TraceSampling(), attached), run_folder(tmp_path)) as traces:
            assert [(note.code, note.params["port"]) for note in traces.close()] == [("otlp-port-taken", PORT)]


@pytest.mark.parametrize("address", ["192.0.2.1:4318", "no.such.host.invalid:4318", "127.0.0.1:0"])
def test_an_address_that_cannot_be_used_is_refused(tmp_path: Path, address: str) -> None:
    plan = plan_with(TraceSampling(listen=address))
    with pytest.raises(HarnessError) as refused, receive_traces(plan, run_folder(tmp_path)):
        pass
    assert refused.value.code == ("address-invalid" if address.endswith(":0") else "otlp-address-unusable")
    assert refused.value.exit_code == 2


def test_another_address_is_used_if_asked_for(tmp_path: Path) -> None:
    port = free_port()
    with receive_traces(plan_with(TraceSampling(listen=f"localhost:{port}")), run_folder(tmp_path)) as traces:
        assert traces.tracing is not None
        assert traces.tracing.url.endswith(f":{port}")
