"""Files of rows: readers with one clear error each, and the file that workers map into memory."""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from harness.errors import HarnessError
from harness.feeders.kinds import read_rows
from harness.feeders.rows import Rows, RowsWriter, Written

WHERE = "scenario.py:3"


def read(path: Path) -> list[Any]:
    return list(read_rows(path, WHERE))


def write(path: Path, rows: Any, shuffled_by: str | None = None) -> Written:
    with path.open("wb") as file:
        writer = RowsWriter(file)
        for row in rows:
            writer.add(row)
        return writer.close(shuffled_by)


def test_csv_rows_are_texts_by_column(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(b'\xef\xbb\xbfname , city\r\n"Ann, B.","Bonn\nBeuel"\r\n\r\nBob,\xc3\x9clm\r\n')
    assert read(path) == [{"name": "Ann, B.", "city": "Bonn\nBeuel"}, {"name": "Bob", "city": "Ülm"}]
    (tmp_path / "users.tsv").write_text("name\tcity\nAnn\tBonn\n")
    assert read(tmp_path / "users.tsv") == [{"name": "Ann", "city": "Bonn"}]


def test_json_lines_keep_their_types(tmp_path: Path) -> None:
    path = tmp_path / "users.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"name": "Ann", "age": 3}\n\n[1, null]\n"x"')
    assert read(path) == [{"name": "Ann", "age": 3}, [1, None], "x"]


def test_parquet_rows_are_maps(tmp_path: Path) -> None:
    path = tmp_path / "users.parquet"
    born = dt.datetime(2020, 1, 2)
    pyarrow.parquet.write_table(pyarrow.table({"name": ["Ann", "Bob"], "age": [3, None], "born": [born] * 2}), path)
    rows = read(path)
    assert rows[1] == {"name": "Bob", "age": None, "born": born}
    write(tmp_path / "rows", rows)
    assert Rows(tmp_path / "rows")[0] == {"name": "Ann", "age": 3, "born": "2020-01-02 00:00:00"}


def test_parquet_rows_may_be_nested(tmp_path: Path) -> None:
    path, price = tmp_path / "carts.parquet", Decimal("12.50")
    cart = {"items": [{"id": 1, "price": price, "on": dt.date(2020, 1, 2)}], "note": None}
    tags = pyarrow.array([[("a", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64()))
    pyarrow.parquet.write_table(pyarrow.table({"cart": [cart], "raw": [b"\0\xff"], "tags": tags}), path)
    write(tmp_path / "rows", read(path))
    kept = {"items": [{"id": 1, "price": "12.50", "on": "2020-01-02"}], "note": None}
    assert Rows(tmp_path / "rows")[0] == {"cart": kept, "raw": b"\0\xff", "tags": [["a", 1]]}


@pytest.mark.parametrize(
    ("name", "content", "code", "line"),
    [
        ("a.csv", b"name,city\nAnn\n", "feeder-row-ragged", 2),
        ("a.csv", b"name,city\nAnn,Bonn\nBob,Ulm,x\n", "feeder-row-ragged", 3),
        ("a.csv", b'name,city\n"A\nB",Bonn\nBob\n', "feeder-row-ragged", 4),
        ("a.csv", b"name,city,name\nAnn,Bonn,x\n", "feeder-column-twice", 1),
        ("a.csv", b"\nname,,city\nAnn,1,Bonn\n", "feeder-column-unnamed", 2),
        ("a.csv", b"name,city\nAnn,Bonn\nJ\xf6rg,Ulm\n", "feeder-not-utf8", 3),
        ("a.csv", "name\nAnn\n".encode("utf-16"), "feeder-not-utf8", 1),
        ("a.csv", "name\nAnn\n".encode("utf-16-le"), "feeder-nul-byte", 1),
        ("a.csv", b"name\nA\0nn\n", "feeder-nul-byte", 2),
        ("a.csv", b"name,city\n" + 100_000 * b"Ann,Bonn\n" + b"Bob\n", "feeder-row-ragged", 100_002),
        ("a.csv", b'name\n"Ann" B\n', "feeder-csv-invalid", 2),
        ("a.csv", b'name\n"Ann\n', "feeder-csv-invalid", 2),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "feeder-json-invalid", 2),
        ("a.jsonl", b'{"a": 1}\n"\xff"\n', "feeder-not-utf8", 2),
        ("a.jsonl", b'{"a": 1}\n{"a": [NaN]}\n', "feeder-json-invalid", 2),
        ("a.jsonl", b'{"a": 1}\n[{"b": 1, "b": 2}]\n', "feeder-json-invalid", 2),
        ("a.jsonl", b"-Infinity\n", "feeder-json-invalid", 1),
        ("a.jsonl", b"1e308\n1e309\n", "feeder-json-invalid", 2),
        ("a.jsonl", b"1\n" + b"[" * 100_000 + b"]" * 100_000, "feeder-json-invalid", 2),
        ("a.parquet", b"PAR1 not", "feeder-parquet-invalid", None),
        ("a.parquet", b"", "feeder-parquet-invalid", None),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_line(
    tmp_path: Path, name: str, content: bytes, code: str, line: int | None
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(HarnessError) as raised:
        read(path)
    assert (raised.value.code, raised.value.where) == (code, str(path) if line is None else f"{path}:{line}")
    assert raised.value.exit_code == 2


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl"):
        with (path := tmp_path / name).open("wb") as file:
            file.truncate(1 << 40)  # a hole
        with pytest.raises(HarnessError) as raised:
            read(path)
        assert (raised.value.code, raised.value.where) == ("feeder-line-too-long", f"{path}:1")


@pytest.mark.parametrize("column", [pyarrow.array([2**62], pyarrow.timestamp("us")), pyarrow.array([10**7], "date32")])
def test_a_date_that_python_has_not_is_an_error(tmp_path: Path, column: Any) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table([column], names=["a"]), path)
    with pytest.raises(HarnessError) as raised:
        read(path)
    assert (raised.value.code, raised.value.where) == ("feeder-parquet-invalid", str(path))


def test_two_columns_of_parquet_must_not_share_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table([[1], [2]], names=["a", "a"]), path)
    with pytest.raises(HarnessError) as raised:
        read(path)
    assert (raised.value.code, raised.value.params["name"]) == ("feeder-column-twice", "a")


def test_a_file_that_is_not_there_is_named_with_the_call(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "users.xlsx").touch()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "circle.csv").symlink_to("circle.csv")
    for name, code in (
        ("none.csv", "feeder-file-missing"),
        ("circle.csv", "feeder-file-missing"),
        ("pipe.csv", "feeder-not-a-file"),
        ("zero.csv", "feeder-not-a-file"),
        ("x" * 300 + ".csv", "feeder-file-unreadable"),
        ("/dev/zero", "feeder-kind-unknown"),
        ("folder.csv", "feeder-not-a-file"),
        ("users.xlsx", "feeder-kind-unknown"),
    ):
        with pytest.raises(HarnessError) as raised:
            read(tmp_path / name)
        assert (raised.value.code, raised.value.where) == (code, WHERE)


def test_rows_are_read_in_their_order_or_in_one_that_the_seed_draws(tmp_path: Path) -> None:
    numbers = [{"n": number} for number in range(1000)]
    plain = write(tmp_path / "plain", numbers)
    shuffled = write(tmp_path / "shuffled", numbers, "7:0")
    assert plain == shuffled == Written(1000, plain.digest)
    assert list(Rows(tmp_path / "plain")) == numbers
    order = [row["n"] for row in Rows(tmp_path / "shuffled")]
    assert sorted(order) == list(range(1000))
    assert order[:5] == [424, 993, 756, 541, 672]  # the same on every machine, in every version
    write(tmp_path / "again", numbers, "8:0")
    assert [row["n"] for row in Rows(tmp_path / "again")] != order
    assert write(tmp_path / "other", [*numbers[1:], numbers[0]]).digest != plain.digest


def test_a_file_of_rows_may_be_of_any_length(tmp_path: Path) -> None:
    for count in (0, 1, 7):
        write(tmp_path / "rows", ["x" * count] * count, "1")
        assert list(Rows(tmp_path / "rows")) == ["x" * count] * count


def test_another_file_is_not_a_file_of_rows(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="rows"):
        Rows(tmp_path / "rows")


def test_what_msgpack_does_not_know_is_kept_as_its_text(tmp_path: Path) -> None:
    write(tmp_path / "rows", [{"n": 1 << 100, "half": "\ud800", "day": dt.date(2020, 1, 2)}])
    assert list(Rows(tmp_path / "rows")) == [{"n": str(1 << 100), "half": "\ud800", "day": "2020-01-02"}]


def anonymous_bytes() -> int:
    """What this process holds in memory of its own, without the files that it has mapped."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return 1024 * int(line.split()[1])


def test_rows_take_no_memory_of_the_process_that_reads_them(tmp_path: Path) -> None:
    write(tmp_path / "rows", ({"name": f"user {number}", "note": "x" * 80} for number in range(200_000)), "1")
    size, before = (tmp_path / "rows").stat().st_size, anonymous_bytes()
    rows = Rows(tmp_path / "rows")
    for position in range(len(rows)):
        rows[position]
    assert size > 20e6
    assert anonymous_bytes() - before < size / 10
