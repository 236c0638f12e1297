"""A real nginx for tests: one process on loopback and a Unix socket, configured by the test."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.children import dying_with_the_tests, stop, wait_until
from tests.support.requirements import require_program


@contextmanager
def start_nginx(folder: Path, servers: str, port: int) -> Iterator[None]:
    """Run nginx with these ``server`` blocks until ``port`` accepts, and for a ``with`` block."""
    program = require_program("nginx", "nginx-light")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{servers}\n}}\n"
    )
    log = folder / "nginx.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            dying_with_the_tests([program, "-p", folder, "-c", configuration]),
            stdout=output,
            stderr=output,
            text=True,
        )

    def accepts() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(accepts, what="nginx's being ready")
        yield
    finally:
        stop(process)
