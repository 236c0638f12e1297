"""The benchmarks work: they run, count what the server counts, and print a JSON line. How fast is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.support.children import die_with_the_tests
from tests.support.command import REPOSITORY
from tests.support.programs import require_program


def benchmark(name: str, *options: str) -> Any:
    """The JSON line of ``benchmarks/NAME.py --short``."""
    result = subprocess.run(
        [sys.executable, REPOSITORY / "benchmarks" / f"{name}.py", "--short", *options],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=die_with_the_tests,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_generators_side_by_side_record_what_the_server_has_served() -> None:
    require_program("nginx", "nginx-light")
    generators = benchmark("generator")["generators"]
    assert {"harness.HttpUser", "locust FastHttpUser", "locust HttpUser"} <= generators.keys()
    for name, figures in generators.items():
        assert figures["requests_s"]["median"] > 0, name
        assert figures["cpu_us"]["median"] > 0, name
        # wrk and hey leave out what is under way at their end: one request a user.
        assert 0 <= figures["served"] - figures["recorded"] <= 32, name
    harness = generators["harness.HttpUser"]
    assert harness["recorded"] == harness["served"]


def test_memory_of_idle_users_and_of_a_steady_load() -> None:
    require_program("nginx", "nginx-light")
    memory = benchmark("generator", "--memory")
    assert memory["idle"]["connections"] == memory["idle"]["users"] == 100
    assert memory["idle"]["full_bytes"] > memory["idle"]["empty_bytes"] > 0
    assert memory["steady"]["requests"] > 0
