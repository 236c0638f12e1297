"""The source line shows what a call into C waits for."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.sampling.wait_hints import hint, with_hints

LINES = {
    "    with self._lock:": "lock",
    "    self._lock.acquire(timeout=5)": "lock",
    "    time.sleep(0.1)": "sleep",
    "    row = cursor.execute(sql, (1,))": "database",
    "    data = connection.recv(4096)": "socket",
    "    os.fsync(file)": "disk",
    "    total = sum(numbers)": None,
    "    value = settings.get('with lock')": None,
}


@pytest.mark.parametrize(("number", "expected"), [*enumerate(LINES.values(), 1)])
def test_a_source_line_shows_what_it_waits_for(tmp_path: Path, number: int, expected: str | None) -> None:
    file = tmp_path / "app.py"
    file.write_text("\n".join(LINES))
    assert hint(str(file), number) == expected


def test_the_hint_becomes_the_last_frame(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("\n".join(LINES))
    raw = f"run (/lib/x.py:1);get ({file}:1) 12\nrun (/lib/x.py:1);total ({file}:7) 3\ngone (/no/such/file.py:3) 1"
    hinted, plain, unreadable = with_hints(raw).splitlines()
    assert hinted == f"run (/lib/x.py:1);get ({file}:1);[lock] 12"
    assert plain.endswith(f"total ({file}:7) 3")
    assert unreadable == "gone (/no/such/file.py:3) 1"
