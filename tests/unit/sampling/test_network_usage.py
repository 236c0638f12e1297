"""What is read of the machine's network."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from harness.sampling.network_usage import NetworkMeter, retransmitted

SNMP = """\
Udp: InDatagrams NoPorts
Udp: 3 4
Tcp: RtoAlgorithm ActiveOpens RetransSegs InErrs
Tcp: 1 20 37 0
"""


def test_what_is_sent_over_loopback_counts() -> None:
    began_s = time.monotonic()
    meter = NetworkMeter()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        with peer:
            for _ in range(20):
                client.sendall(b"x" * 50_000)
                received = 0
                while received < 50_000:
                    received += len(peer.recv(50_000))
            read = meter.read()
            took_s = time.monotonic() - began_s
    assert read["sent_bytes_per_s"] * took_s > 1_000_000
    assert read["received_bytes_per_s"] * took_s > 1_000_000


def test_segments_that_were_sent_again_are_counted_where_the_kernel_does(tmp_path: Path) -> None:
    file = tmp_path / "snmp"
    assert retransmitted(file) == 0
    file.write_text(SNMP)
    assert retransmitted(file) == 37
    file.write_text("Tcp: ActiveOpens\nTcp: 3\n")
    assert retransmitted(file) == 0
