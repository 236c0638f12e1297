"""Figures are readable; texts from a target are harmless."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.record.plain_text import no_commands, plain
from harness.report import formatting

SPACE = "\u00a0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0, "0"),
        (1234, "1,234"),
        (1234567.8, "1,234,568"),
        (123.4, "123"),
        (12.34, "12.3"),
        (12.0, "12"),
        (1.0, "1"),
        (0.412, "0.412"),
        (0.00123456, "0.00123"),
        (999.6, "1,000"),
        (9.996, "10"),
        (-12.34, "-12.3"),
    ],
)
def test_a_number_has_three_digits_and_thousands_by_comma(value: float | None, text: str) -> None:
    assert formatting.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.4123, "0.412 ms"), (12.34, "12.3 ms"), (1234.0, "1,234 ms"), (12_340.0, "12.3 s")],
)
def test_times_are_in_ms_and_long_ones_in_seconds(value: float | None, text: str) -> None:
    assert formatting.ms(value) == text.replace(" ", SPACE)


@pytest.mark.parametrize(
    ("share", "text"), [(None, "–"), (0.0, "0 %"), (0.00412, "0.412 %"), (0.1234, "12.3 %"), (1.0, "100 %")]
)
def test_shares_read_as_per_cent(share: float | None, text: str) -> None:
    assert formatting.percent(share) == text.replace(" ", SPACE)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.12, "+12 %"),
        (-0.12, "−12 %"),
        (0.0, "±0 %"),
        (-2.2e-6, "±0 %"),
        (0.00096, "+0.1 %"),
        (10.0, "×11"),
        (None, "–"),
    ],
)
def test_a_change_has_a_sign(share: float | None, text: str) -> None:
    assert formatting.change(share) == text.replace(" ", SPACE)


@pytest.mark.parametrize(("share", "text"), [(0.32, "+32 pp"), (-0.001, "−0.1 pp"), (-2e-6, "±0 pp"), (None, "–")])
def test_a_difference_of_shares_is_in_points(share: float | None, text: str) -> None:
    assert formatting.points(share) == text.replace(" ", SPACE)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.0, "0 s"), (34.0, "34 s"), (90.0, "1 min 30 s"), (3720.0, "1 h 2 min"), (60.0, "1 min")],
)
def test_durations_in_the_units_one_would_say(seconds: float | None, text: str) -> None:
    assert formatting.duration(seconds).replace(SPACE, " ") == text


@pytest.mark.parametrize(("size", "text"), [(None, "–"), (12.0, "12 B"), (8_400_000.0, "8.4 MB"), (2e15, "2,000 TB")])
def test_sizes_in_steps_of_a_thousand(size: float | None, text: str) -> None:
    assert formatting.size(size) == text.replace(" ", SPACE)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(12.34, "ms", "12.3 ms"), (0.5, "%", "0.5 %"), (451.2, "/s", "451/s"), (3.0, "MB", "3 MB"), (None, "", "–")],
)
def test_a_gates_figure_in_its_unit(value: float | None, unit: str, text: str) -> None:
    assert formatting.in_unit(value, unit) == text.replace(" ", SPACE)


def test_an_interval_without_an_upper_end_says_so() -> None:
    assert formatting.interval((1.0, None), "ms") == f"1{SPACE}ms … ?"
    assert formatting.interval((1.0, 2.0), "ms") == f"1{SPACE}ms … 2{SPACE}ms"
    assert formatting.interval(None, "ms") == "–"


def test_a_time_reads_as_a_date_and_what_is_none_stays() -> None:
    assert formatting.date_time("2026-02-02T02:40:00Z") == "2 February 2026, 02:40:00 UTC"
    assert formatting.date_time("yesterday") == "yesterday"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("a\x00b\x1bc", "a␀b␛c"),
        ("one\r\ntwo\tthree\rfour", "one\ntwo\tthree␍four"),
        ("lone \ud800, turned \u202eround", "lone �, turned �round"),
        ("café <b>", "café <b>"),
    ],
)
def test_control_characters_are_shown_not_obeyed(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_no_line_is_a_command_to_a_ci_server() -> None:
    assert no_commands("::error::x\n  ::add-mask::y\nstd::vector ##[debug]z ##vso[task]") == (
        ": :error::x\n  : :add-mask::y\nstd::vector ## [debug]z ##vso [task]"
    )


@given(st.text())
def test_plain_text_can_be_written_and_has_no_control_characters(text: str) -> None:
    shown = plain(text)
    shown.encode("utf-8")
    assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in shown)
