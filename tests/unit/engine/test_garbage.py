"""When a worker's full garbage collections are made. In a process of its own: they are a process's own setting."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def run(program: str) -> str:
    """What the program prints."""
    head = "import gc, weakref\nfrom harness.engine.stalls import Collector, resident_bytes\n"
    result = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(program)], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


CYCLE = """
    class Cycle:
        def __init__(self):
            self.itself = self

    def old_cycle():
        cycle = Cycle()
        # Young objects are collected as ever: this one is to be old when it becomes garbage.
        gc.collect(1)
        return weakref.ref(cycle)
"""


def test_nothing_is_collected_while_users_come_and_stay() -> None:
    program = """
        fulls = []
        gc.callbacks.append(lambda phase, info: fulls.append(phase) if info["generation"] == 2 else None)
        collector = Collector(lambda: 1000)
        made = len(fulls)
        kept = [[[] for _ in range(1000)] for _ in range(300)]  # growth at which CPython would collect many times
        print([collector.collect_if_due(users) for users in (0, 10, 5000, 5000, 2501)], len(fulls) - made)
    """
    assert run(program).strip() == "[False, False, False, False, False] 0"


def test_users_that_have_gone_are_freed_when_they_are_half() -> None:
    program = """
        collector = Collector(lambda: 1000)
        collector.collect_if_due(1000)
        garbage = old_cycle()
        print(collector.collect_if_due(501), garbage() is None)
        print(collector.collect_if_due(500), garbage() is None)
        print(collector.collect_if_due(400), collector.collect_if_due(250))
        print(collector.collect_if_due(200), collector.collect_if_due(150), collector.collect_if_due(99))
    """
    assert run(textwrap.dedent(CYCLE) + textwrap.dedent(program)).splitlines() == [
        "False False",
        "True True",
        "False True",
        "False False True",
    ]


def test_memory_that_has_doubled_is_collected() -> None:
    program = """
        memory = 1000
        collector = Collector(lambda: memory)
        garbage = old_cycle()
        memory = 1999
        print(collector.collect_if_due(32), garbage() is None)
        memory = 2000
        print(collector.collect_if_due(32), garbage() is None)
        memory = 3999
        print(collector.collect_if_due(32))
    """
    assert run(textwrap.dedent(CYCLE) + textwrap.dedent(program)).splitlines() == ["False False", "True True", "False"]


def test_resident_memory_is_the_processes_own() -> None:
    program = """
        before = resident_bytes()
        kept = bytearray(b"x" * 50_000_000)
        print(round((resident_bytes() - before) / 1e6, -1))
    """
    assert run(program).strip() == "50.0"
