"""What every report needs is made once and cached for this user, and reports work without the cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from harness.report import cache as module
from harness.report.cache import CachedTemplates, cached


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module._folder.cache_clear()
    yield tmp_path / "harness"
    module._folder.cache_clear()


def test_a_value_is_made_again_only_for_another_key(folder: Path) -> None:
    made: list[str] = []

    def make() -> str:
        made.append("")
        return f"{len(made)}\nvalue"

    assert [cached("script", key, make) for key in ("a", "a", "b", "b", "a")] == [
        f"{count}\nvalue" for count in (1, 1, 2, 2, 3)
    ]
    assert [path.name for path in folder.iterdir()] == ["script"]


def test_a_template_is_compiled_again_only_when_it_has_changed(folder: Path) -> None:
    def text(source: str) -> str:
        return (
            Environment(loader=DictLoader({"page": source}), bytecode_cache=CachedTemplates())
            .get_template("page")
            .render()
        )

    assert (text("one"), text("one")) == ("one", "one")
    (compiled,) = folder.iterdir()
    first = compiled.stat().st_ino
    assert text("one") == "one"
    assert compiled.stat().st_ino == first
    assert text("two") == "two"
    assert compiled.stat().st_ino != first


def test_nothing_is_kept_where_others_may_write(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    assert [cached("script", "a", lambda: "value") for _ in range(2)] == ["value"] * 2
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_made_is_done_without(folder: Path) -> None:
    folder.parent.joinpath("harness").write_text("a file")
    assert cached("script", "a", lambda: "value") == "value"


def test_a_file_that_cannot_be_written_is_done_without(folder: Path) -> None:
    (folder / "script").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    assert cached("script", "a", lambda: "value") == "value"
    assert [path.name for path in folder.iterdir()] == ["script"]
