"""A frame names the same function the same way in every run, on every machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.record.profiles import Stack
from harness.sampling.frame_names import frame, own_files, process_name, python_of, short_path
from harness.sampling.py_spy import fold


def test_a_path_is_as_short_as_it_can_be_and_still_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = tmp_path / "elsewhere" / "shop" / "api"
    shop.mkdir(parents=True)
    for folder in (shop, shop.parent):
        (folder / "__init__.py").touch()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert short_path(f"{tmp_path}/work/src/app.py") == "src/app.py"
    assert short_path(f"{tmp_path}/work/.venv/lib/python3.12/site-packages/fastapi/routing.py") == "fastapi/routing.py"
    assert short_path("/usr/lib/python3/dist-packages/yaml/loader.py") == "yaml/loader.py"
    assert short_path("/opt/py/lib/python3.13t/json/decoder.py") == "json/decoder.py"
    assert short_path(str(shop / "cart.py")) == "shop/api/cart.py"
    assert short_path("/nowhere/script.py") == "script.py"
    assert short_path(f"{tmp_path}/work/src/app.py", anywhere=True) == "app.py"
    assert short_path(str(shop / "cart.py"), anywhere=True) == "shop/api/cart.py"
    assert short_path("<frozen runpy>") == "<frozen runpy>"


def test_no_frame_can_break_a_folded_line() -> None:
    assert frame("f;g", "<a\nb>", None) == "f,g (<a b>)"


def test_lines_of_py_spy_become_stacks() -> None:
    raw = "\n".join(
        [
            "<module> (/nowhere/app.py:9);Shop.search (/nowhere/app.py:4) 3",
            "<module> (/nowhere/app.py:9);Shop.search (/nowhere/app.py:4) 2",
            "<module> (/opt/venv/bin/uvicorn:10) 1",
            "<shim>;f (/opt/lib/python3.12/site-packages/g.py) 1",
            "no weight",
            "",
        ]
    )
    assert fold(raw) == [
        Stack(("<module> (app.py:9)", "Shop.search (app.py:4)"), 5),
        Stack(("<module> (uvicorn:10)",), 1),
        Stack(("<shim>", "f (g.py)"), 1),
    ]
    assert own_files(raw) == {"app.py"}
    assert python_of(raw) is None
    assert python_of("run (/opt/lib/python3.12/asyncio/runners.py:9) 1") == "3.12"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/v/bin/python -X dev -m shop.payment --port 5", "shop.payment"),
        ("/v/bin/python3.12 -u /srv/app.py 99", "app.py"),
        ("python -c from multiprocessing.spawn import spawn_main; spawn_main(5)", "multiprocessing worker"),
        ("python", "python"),
        ("/usr/bin/nginx -g x", "nginx"),
        ("", "unknown"),
    ],
)
def test_a_process_is_called_by_what_it_runs(command: str, name: str) -> None:
    assert process_name(command.split()) == name
