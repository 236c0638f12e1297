"""The agent's own side, in this process: its responses, and that memray is on just as long as requested.

(In a target it runs where no coverage tool sees it, by intent.)
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import memray
import pytest

from harness.targets import agent_client
from harness.targets.agent import _harness_agent as agent_side
from tests.support.children import dying_with_the_tests, killed_at_end


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


@pytest.mark.parametrize("ends", [True, False])
def test_a_process_that_ends_is_told_from_one_that_does_not_respond(tmp_path: Path, ends: bool) -> None:
    """One that ends closes its sockets first."""
    address = tmp_path / "1.sock"
    code = f"""
import socket, sys, time
with socket.socket(socket.AF_UNIX) as server:
    server.bind({str(address)!r})
    server.listen()
    print("on", flush=True)
    server.accept()[0].close()
if {ends}:
    time.sleep(0.3)
else:
    sys.stdin.read()
"""
    command = dying_with_the_tests([sys.executable, "-c", code])
    with killed_at_end(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        with pytest.raises(agent_client.AgentError) as error:
            agent_client.Agent(process.pid, address).start(tmp_path / "trace.bin")
        assert isinstance(error.value, agent_client.AgentGoneError) == ends


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
