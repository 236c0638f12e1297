"""Which of the functions that call each other is named for their growth, from the stacks of one of several runs."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.call_chains import is_outside_own_code, most_specific
from harness.analysis.growth import Growth
from harness.record.measurement import FunctionSamples
from harness.record.profiles import Stack

STACKS = [Stack(("serve (shop/app.py:10)", "rank (shop/rank.py:40)"), 100), Stack(("serve (shop/app.py:10)",), 20)]


def grown(key: str, samples: int) -> Growth:
    """A function that was not there before, of which a sample stands for 10 µs a request."""
    ms = 0.01 * samples
    return Growth(key, 0.0, ms, (0.99 * ms, 1.01 * ms), p=1e-9, base_share=0.0, now_share=0.1, sample_ms=0.01)


def test_own_code_is_never_apart_though_it_runs_most_of_the_time() -> None:
    growths = {
        key: replace(grown(key, samples), base_ms=0.2, now_share=0.95)
        for key, samples in (("serve (shop/app.py)", 120), ("write (socket.py)", 100))
    }
    stacks = [Stack(("serve (shop/app.py:10)",), 20), Stack(("write (socket.py:7)",), 100)]
    apart = {key: is_outside_own_code(key, growths, stacks, {"shop/app.py"}) for key in growths}
    assert apart == {"serve (shop/app.py)": False, "write (socket.py)": True}


def named(*entries: tuple[str, int]) -> list[tuple[str, int]]:
    growths = {key: grown(key, samples) for key, samples in entries}
    samples = {key: FunctionSamples(own=count, total=count) for key, count in entries}
    found = most_specific([*growths.values()], growths, samples, STACKS, {"shop/app.py", "shop/rank.py"})
    return [(suspect.function, suspect.line) for suspect in found]


def test_the_stacks_of_one_run_stand_for_those_of_all() -> None:
    """Four runs have four times the samples, and who calls whom is known of one of them."""
    for runs in (1, 4):
        assert named(("serve (shop/app.py)", runs * 120), ("rank (shop/rank.py)", runs * 100)) == [("rank", 40)]


def test_a_function_that_this_run_was_not_seen_in_has_no_line_and_is_left_out() -> None:
    assert named(("gone (shop/app.py)", 400), ("rank (shop/rank.py)", 400)) == [("rank", 40)]
