"""Measures what checks against an OpenAPI document cost: CPU time of load worker and checker.

nginx serves a small JSON to a worker on another core: once as fast as it can, once at a moderate rate. Each round
measures all ways one after the other (no checks, the default share, all responses), and compares them with the round's
own figure without checks.

    uv run python benchmarks/contracts.py --rounds 5
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil

from benchmarks.generators import getter
from benchmarks.load import HarnessLoad, closed_phase, open_phase
from benchmarks.nginx import Nginx
from benchmarks.output import Spread, run_command, show
from benchmarks.processes import two_cores, wait_until
from harness.contracts.checks import CHECKS, Contract
from harness.contracts.document import read_document
from harness.plan.contract import DEFAULT_SHARE
from harness.plan.model.phase import Phase
from harness.plan.model.run import ContractPlan
from harness.record.contract_checks import CONTRACT_SECONDS
from harness.record.sampled_responses import SampledResponse

USERS, RATE = 16, 500.0
WAYS: dict[str, float | None] = {"no checks": None, f"{DEFAULT_SHARE:.0%}": DEFAULT_SHARE, "100%": 1.0}
_NO_CHECKS = "no checks"
_ITEM = {
    "type": "object",
    "required": ["id", "name", "price_cents", "in_stock"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "name": {"type": "string", "pattern": "^product "},
        "price_cents": {"type": "integer"},
        "in_stock": {"type": "boolean"},
    },
}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "nginx", "version": "1"},
    "paths": {
        "/": {"get": {"responses": {"200": {"description": "", "content": {"application/json": {"schema": _ITEM}}}}}}
    },
}
_BODY = b'{"id":1,"name":"product 1","price_cents":1299,"in_stock":true}'
_HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


@dataclass(frozen=True)
class Window:
    """A few seconds of one way: requests per second, CPU time per request, and how many responses were checked."""

    requests_s: float
    worker_us: float
    master_us: float
    checker_us: float
    checked_s: float

    @property
    def all_us(self) -> float:
        return self.worker_us + self.master_us + self.checker_us


def _cpu_s(pids: list[int]) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def _window(nginx: Nginx, phase: Phase, share: float | None, core: int, settling_s: float, seconds: float) -> Window:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document, record = folder / "openapi.json", folder / "contract"
        document.write_text(json.dumps(DOCUMENT))
        contract = None if share is None else ContractPlan(openapi=str(document), checks=CHECKS, sample=share)
        settings: dict[str, Any] = {"document": str(document), "record": str(record), "source": "", "sha256": ""}
        settings |= {"checks": CHECKS, "base_path": "", "secret_names": []}
        load = HarnessLoad(folder, getter(folder), [phase], nginx.url, core, contract=contract, settings=settings)
        try:
            wait_until(lambda: load.phases_started() == 1, "the load", 30)
            time.sleep(settling_s)
            master, worker = load.pids()
            parts = [[worker], [master], [child.pid for child in psutil.Process(master).children(recursive=True)]]
            began_s, served, used_s = time.monotonic(), nginx.requests(), [_cpu_s(pids) for pids in parts]
            time.sleep(seconds)
            requests = nginx.requests() - served
            us = [1e6 * (_cpu_s(pids) - before) / requests for pids, before in zip(parts, used_s, strict=True)]
            length_s = time.monotonic() - began_s
        finally:
            load.end()
        counts = [one.checked for second in CONTRACT_SECONDS.read(record) for one in second.responses]
    worker_us, master_us, checker_us = us
    return Window(requests / length_s, worker_us, master_us, checker_us, sum(counts) / (settling_s + length_s))


def _check_us(seconds: float) -> float:
    """CPU time of one check, without the way to the checker."""
    contract = Contract(read_document(json.dumps(DOCUMENT).encode(), "openapi.json"))
    sampled = SampledResponse(0, 0, "GET", "http://127.0.0.1/", 200, _HEADERS, _BODY)
    assert not contract.check(sampled).breaches
    checks, began_s = 0, time.process_time()
    while (used_s := time.process_time() - began_s) < seconds:
        contract.check(sampled)
        checks += 1
    return 1e6 * used_s / checks


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 50))
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0.2, 60), help="of each measurement")
@click.option("--short", is_flag=True, help="check in a few seconds that it works")
def main(rounds: int, seconds: float, short: bool) -> None:
    """Measure what checks of responses cost the load generator."""
    settling_s, seconds = 1.5, 0.5 if short else seconds
    worker_core, server_core = two_cores()
    length_s = settling_s + seconds + 60
    loads = {f"{USERS} users": closed_phase(USERS, length_s), f"{RATE:g}/s": open_phase(RATE, length_s, USERS)}
    if short:
        del loads[f"{USERS} users"]
    compared = {way: share for way, share in WAYS.items() if not short or share != DEFAULT_SHARE}
    windows: dict[tuple[str, str], list[Window]] = {(load, way): [] for load in loads for way in compared}
    with tempfile.TemporaryDirectory() as folder, Nginx(Path(folder), server_core) as nginx:
        for _ in range(1 if short else rounds):
            for load, phase in loads.items():
                for way, share in compared.items():
                    windows[load, way].append(_window(nginx, phase, share, worker_core, settling_s, seconds))
    ways = {
        f"{load}, {way}": {
            "requests_s": Spread.of(window.requests_s for window in seen),
            "worker_us": Spread.of(window.worker_us for window in seen),
            "checker_us": Spread.of(window.checker_us for window in seen),
            "checked_s": Spread.of(window.checked_s for window in seen),
            "worker": Spread.of(
                window.worker_us / other.worker_us
                for window, other in zip(seen, windows[load, _NO_CHECKS], strict=True)
            ),
            "all": Spread.of(
                window.all_us / other.all_us for window, other in zip(seen, windows[load, _NO_CHECKS], strict=True)
            ),
        }
        for (load, way), seen in windows.items()
    }
    check_us = _check_us(0.1 if short else 2.0)
    show(
        f"One check takes {check_us:.0f} µs. Load on nginx; median (least–greatest) of the rounds",
        ["", "requests/s", "checked/s", "worker µs/request", "checker µs/request", "worker", "worker, master, checker"],
        [
            [
                way,
                found["requests_s"].text(),
                found["checked_s"].text(),
                found["worker_us"].text(1),
                found["checker_us"].text(1),
                found["worker"].text(3),
                found["all"].text(3),
            ]
            for way, found in ways.items()
        ],
        {"benchmark": "contracts", "check_us": check_us, "ways": ways},
    )


if __name__ == "__main__":
    run_command(main)
