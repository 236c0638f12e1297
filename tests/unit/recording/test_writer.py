"""A run that was recorded elsewhere becomes a run folder that reads as any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.record.endpoint_second import EndpointSecond
from harness.record.journal_entries import Endpoint, PhaseSpan, WorkerSecond
from harness.record.run_folder import RunFolder
from harness.recording.run import read_run
from harness.recording.writer import SUCCEEDED, RecordedLoad, Requests, write_run
from tests.support.plans import make_plan, steady
from tests.support.recordings import make_environment


def test_each_request_is_in_the_second_in_which_it_ended(tmp_path: Path) -> None:
    response_us = np.array([500_000, 900_000, 100_000])
    load = RecordedLoad(
        run_id="imported",
        epoch_s=1_770_000_000.0,
        endpoints=[Endpoint("GET", "/cart"), Endpoint("POST", "/cart")],
        spans=[PhaseSpan(0, 0.0, 3.0, "done", None, (0.0,))],
        requests=[
            Requests(
                phase=0,
                is_open=False,
                segment=np.zeros(3, dtype=np.int64),
                endpoint=np.array([0, 1, 1]),
                start_s=np.array([0.2, 0.3, 2.0]),
                response_us=response_us,
                service_us=response_us,
                bytes_received=np.array([10, 20, 30]),
                failure=np.array([SUCCEEDED, 0, SUCCEEDED]),
            )
        ],
        workers=lambda _, requests: [WorkerSecond(1, 5, 0.2, 1.0, requests, 0, 0)],
        seconds=3,
        failures=["HTTP 500"],
        end_s=3.0,
        end_reason="done",
    )
    folder = RunFolder.create(tmp_path, "imported")
    write_run(folder, make_plan([steady(5, 3)]), make_environment(), load)
    run = read_run(folder)
    table = run.phases[0].table
    entries = EndpointSecond.all_of(table)
    seen = [
        (second, str(run.journal.endpoints[entry.endpoint]), entry.requests, entry.failures, entry.bytes_received)
        for second, entry in zip(table.second.tolist(), entries, strict=True)
    ]
    assert seen == [(0, "GET /cart", 1, 0, 10), (1, "POST /cart", 1, 1, 20), (2, "POST /cart", 1, 0, 30)]
    assert [(failure.second, failure.failure, failure.count) for failure in run.journal.failures] == [
        (1, "HTTP 500", 1)
    ]
    assert [second.workers[0].iterations for second in run.journal.seconds] == [1, 1, 1]
    assert entries[1].response.max_us == 900_000
    assert (run.run_id, run.journal.end_reason, run.readings) == ("imported", "done", [])
