"""The agent's own side, in this process: its responses, and that memray is on just as long as requested.

(In a target it runs where no coverage tool sees it, by intent.)
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import memray
import pytest

from harness.targets import agent_client
from harness.targets.agent import _harness_memory_agent as agent_side


@contextmanager
def served(folder: Path) -> Iterator[agent_client.Agent]:
    address = folder / f"{os.getpid()}.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen()
        thread = threading.Thread(target=agent_side.Agent(server).serve)
        thread.start()
        try:
            yield agent_client.Agent(os.getpid(), address)
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_memray_is_on_as_long_as_requested(tmp_path: Path) -> None:
    with served(tmp_path) as agent:
        agent.start(tmp_path / "trace.bin")
        kept = bytearray(3_000_000)
        agent.stop()
        del kept
        with pytest.raises(agent_client.AgentError, match="no trace was started"):
            agent.stop()
    leaked = memray.FileReader(tmp_path / "trace.bin").get_leaked_allocation_records(merge_threads=True)
    assert max(record.size for record in leaked) >= 3_000_000


def test_errors_are_sent_back_and_nonsense_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path) as agent:
        with pytest.raises(agent_client.AgentError, match="No such file"):
            agent.start(tmp_path / "missing" / "trace.bin")
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(str(agent.address))
            rude.sendall(b"what?\n")
            assert rude.recv(100) == b""
        monkeypatch.setitem(sys.modules, "memray", None)
        with pytest.raises(agent_client.AgentError, match="has no memray"):
            agent.start(tmp_path / "trace.bin")
