"""The tables hold all that was recorded, in a form that other tools read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from harness.record.histogram import Histogram
from harness.record.journal import read_journal
from harness.recording import open_recording
from harness.recording.streams import requests, resources
from tests.support.plans import ramp, steady
from tests.support.recordings import EPOCH_S, Failing, record_run


def test_the_timeline_holds_every_request_and_failure(tmp_path: Path) -> None:
    folder = record_run(
        tmp_path,
        phases=[ramp(), steady(rate=40)],
        failures=[Failing(0.05, "HTTP 503"), Failing(0.05, "wrong total", "POST /checkout")],
    )
    open_recording(folder).write_tables()
    table = pq.read_table(folder.path / "timeline.parquet")
    journal = read_journal(folder.journal)
    series = [part for second in journal.seconds for part in second.endpoint_seconds]
    assert table.schema.equals(requests.SCHEMA)
    assert sum(table["requests"].to_pylist()) == sum(part.requests for part in series)
    assert sum(table["bytes_received"].to_pylist()) == sum(part.bytes_received for part in series)
    kinds: dict[str, int] = {}
    for row in table["failure_kinds"].to_pylist():
        for kind, count in row:
            kinds[kind] = kinds.get(kind, 0) + count
    assert sum(kinds.values()) == sum(table["failures"].to_pylist())
    assert set(kinds) == {"HTTP 503", "wrong total"}
    keys = list(zip(*(table[name].to_pylist() for name in ("second", "phase", "method", "name")), strict=True))
    assert len(keys) == len(set(keys))
    for name, parts in (("response", [part.response for part in series]), ("failed", [part.failed for part in series])):
        found = Histogram.merged(
            [
                Histogram(np.array(cell["buckets"]), np.array(cell["counts"]), cell["sum_us"], cell["max_us"])
                for cell in table[name].to_pylist()
            ]
        )
        whole = Histogram.merged(parts)
        assert (found.indices.tolist(), found.counts.tolist()) == (whole.indices.tolist(), whole.counts.tolist())
        assert (found.sum_us, found.max_us) == (whole.sum_us, whole.max_us)


def test_resources_hold_what_was_sampled_and_how_the_load_went(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(seconds=3)], workers=2)
    open_recording(folder).write_tables()
    table = pq.read_table(folder.path / "resources.parquet")
    assert table.schema.equals(resources.SCHEMA)
    assert set(table["source"].to_pylist()) == {"target", "generator", "machine", "load", "worker-1", "worker-2"}
    assert float(table.schema.metadata[b"epoch_s"]) == EPOCH_S
    at_s, epoch_s = table["at_s"].to_pylist(), table["epoch_s"].to_pylist()
    assert at_s == sorted(at_s)
    assert all(epoch == EPOCH_S + at for epoch, at in zip(epoch_s, at_s, strict=True))


@pytest.mark.slow
def test_they_are_written_without_pandas_which_takes_as_long_to_load_as_all_else(tmp_path: Path) -> None:
    folder = record_run(tmp_path, phases=[steady(seconds=2)])
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from harness.record.run_folder import RunFolder\n"
        "from harness.recording import open_recording\n"
        "open_recording(RunFolder(Path(sys.argv[1]))).write_tables()\n"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", code, str(folder.path)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "pyarrow" in loaded
    assert "pandas" not in loaded
