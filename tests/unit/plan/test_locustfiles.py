"""Which files a scenario is: as ``locust -f`` takes them, and what is missing is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.plan.locustfiles import find_locustfiles


def made(folder: Path, *names: str) -> list[Path]:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return [folder / name for name in names]


def test_a_file_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "shop.py", "a, b.py")
    monkeypatch.chdir(tmp_path)
    found = find_locustfiles("shop.py")
    assert (found.name, found.files) == ("shop", (tmp_path / "shop.py",))
    assert find_locustfiles("a, b.py").files == (tmp_path / "a, b.py",)


def test_a_folder_is_all_python_files_below_it_but_those_that_begin_with_an_underscore(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    files = made(shop, "b.py", "z.py", "deep/a.py")
    made(shop, "__init__.py", "_tools.py", "names.txt", "deep/__init__.py")
    found = find_locustfiles(shop)
    assert (found.name, found.files) == ("shop", tuple(files))


def test_a_package_of_nothing_but_its_init_is_that(tmp_path: Path) -> None:
    files = made(tmp_path / "shop", "__init__.py")
    assert find_locustfiles(tmp_path / "shop").files == tuple(files)


def test_several_have_commas_between_and_each_counts_once(tmp_path: Path) -> None:
    a, b = made(tmp_path, "a.py", "more/b.py")
    found = find_locustfiles(f"{a}, {b.parent},{a}")
    assert (found.name, found.files) == ("a+more", (a, b))


def test_what_is_missing_is_told_with_what_there_is(tmp_path: Path) -> None:
    made(tmp_path, "shop.py", "empty/_tools.py")
    with pytest.raises(HarnessError, match="there is no such scenario") as missing:
        find_locustfiles(f"{tmp_path}/shop.py,{tmp_path}/shpo.py")
    assert missing.value.where == f"{tmp_path}/shpo.py"
    assert missing.value.hint == f'in {tmp_path}: did you mean "shop.py"? (known: shop.py)'
    with pytest.raises(HarnessError, match="the folder holds no Python file"):
        find_locustfiles(tmp_path / "empty")


@pytest.mark.parametrize("given", ["nothing.py", "tests/nothing.py", "nowhere/deep/nothing.py"])
def test_scenarios_elsewhere_in_the_project_are_told(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, "conftest.py", "tests/test_sale.py", "scenarios/_tools.py", "scenarios/sale.py", "scenarios/api.py")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError, match="there is no such scenario") as missing:
        find_locustfiles(given)
    assert missing.value.hint == f"in {tmp_path}/scenarios: known: api.py, sale.py"


@pytest.mark.parametrize(
    ("name", "expected", "hint"),
    [
        (
            "profiles/smoke.toml",
            "this is no scenario: a profile is TOML",
            "name the scenario, and this beside it: --profile smoke",
        ),
        (
            "my/quick.toml",
            "this is no scenario: a profile is TOML",
            "name the scenario, and this beside it: --profile my/quick.toml",
        ),
        ("README.md", "this is not a Python file", "in {folder}: known: shop.py"),
        ("shop", "this is not a Python file", 'in {folder}: did you mean "shop.py"? (known: shop.py)'),
    ],
)
def test_a_file_that_is_no_python_is_not_run(
    name: str, expected: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, name, "shop.py")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError, match=f"^{name}: {expected}") as refused:
        find_locustfiles(name)
    assert refused.value.hint == hint.format(folder=tmp_path)
