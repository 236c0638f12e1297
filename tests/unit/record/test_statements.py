"""Statements are recorded without their parameters, and the same one always reads the same."""

from __future__ import annotations

import time

import pytest

from harness.record.statements import LONGEST, command, normalised


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT * FROM book WHERE id = 17", "SELECT * FROM book WHERE id = ?"),
        ("SELECT * FROM t1 WHERE a=1.5e-3 AND b = 0xff", "SELECT * FROM t1 WHERE a=? AND b = ?"),
        ("select name\n  from\tauthor  where name = 'O''Brien'", "select name from author where name = ?"),
        (r"SELECT 'it\'s' , x", "SELECT ? , x"),
        ("SELECT * FROM t WHERE id IN (%s, %s, %s)", "SELECT * FROM t WHERE id IN (?)"),
        ("SELECT * FROM t WHERE id IN (1,2,3,4)", "SELECT * FROM t WHERE id IN (?)"),
        ("INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)", "INSERT INTO t (a, b) VALUES (?)"),
        ("SELECT %(name)s, :other, @third", "SELECT ?"),
        ("SELECT a::text FROM t", "SELECT a::text FROM t"),
        ('SELECT "a b"."c" FROM "t" WHERE x = $$secret$$', 'SELECT "a b"."c" FROM "t" WHERE x = ?'),
        ("SELECT $tag$secret$tag$, 2", "SELECT ?"),
        ("SELECT 1 /* traceparent='00-ab' */ -- user 17\nFROM t", "SELECT ? FROM t"),
        ("SELECT 'never closed", "SELECT ?"),
        ("", ""),
    ],
)
def test_no_value_is_left_in_a_statement(statement: str, expected: str) -> None:
    assert normalised(statement) == expected


def test_mysql_has_values_between_double_quotes() -> None:
    assert (
        normalised('SELECT `a` FROM t WHERE b = "secret"', double_quoted_values=True) == "SELECT `a` FROM t WHERE b = ?"
    )


def test_a_command_is_kept_without_key_and_value() -> None:
    assert command("set session:17 secret") == "SET"
    assert command("") == ""


def test_a_long_statement_is_cut() -> None:
    assert len(normalised("SELECT " + "column_name, " * 100_000)) == LONGEST


@pytest.mark.parametrize("piece", ["'", "$a", "/*", '"', "?,", "(?),", "\\'", "[a", "1.", "--", ":"])
def test_a_hostile_statement_takes_no_longer(piece: str) -> None:
    started = time.process_time()
    normalised(piece * 1_000_000)
    assert time.process_time() - started < 1.0
