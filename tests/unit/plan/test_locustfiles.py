"""Which files a scenario is: as ``locust -f`` takes them; what is missing is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.messages import Option
from harness.plan.locustfiles import find_locustfiles
from tests.unit.plan.support import Found, assert_found, found


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


def rejected(scenario: str | Path, folder: Path) -> Found:
    with pytest.raises(HarnessError) as raised:
        find_locustfiles(scenario)
    return found(raised.value, folder)


def test_what_is_missing_is_reported_with_what_there_is(tmp_path: Path) -> None:
    made(tmp_path, "shop.py", "empty/_tools.py")
    missing = rejected(f"{tmp_path}/shop.py,{tmp_path}/shpo.py", tmp_path)
    assert_found([missing], "shpo.py", "scenario-not-found", {"folder": tmp_path, "alternatives": "shop.py"})
    assert_found([rejected(tmp_path / "empty", tmp_path)], "empty", "scenario-folder-empty", {})


@pytest.mark.parametrize("given", ["nothing.py", "tests/nothing.py", "nowhere/deep/nothing.py"])
def test_scenarios_elsewhere_in_the_project_are_suggested(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, "conftest.py", "tests/test_sale.py", "scenarios/_tools.py", "scenarios/sale.py", "scenarios/api.py")
    monkeypatch.chdir(tmp_path)
    there = {"folder": tmp_path / "scenarios", "alternatives": ["api.py", "sale.py"]}
    assert_found([rejected(given, tmp_path)], given, "scenario-not-found", there)


@pytest.mark.parametrize(
    ("name", "code", "params"),
    [
        ("profiles/smoke.toml", "scenario-is-profile", {"option": Option("profile", "smoke")}),
        ("my/quick.toml", "scenario-is-profile", {"option": Option("profile", Path("my/quick.toml"))}),
        ("README.md", "scenario-not-python", {"alternatives": ["shop.py"]}),
        ("shop", "scenario-not-python", {"alternatives": "shop.py"}),
    ],
)
def test_a_file_that_is_not_python_is_not_run(
    name: str, code: str, params: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, name, "shop.py")
    monkeypatch.chdir(tmp_path)
    assert_found([rejected(name, tmp_path)], name, code, params)


@pytest.mark.parametrize("scenario", ["", " ", ","])
def test_nothing_given_is_not_the_current_folder(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, "shop.py")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError) as raised:
        find_locustfiles(scenario)
    assert raised.value.code == "scenario-empty"


def test_a_folder_with_more_files_than_a_child_can_be_given_is_rejected(tmp_path: Path) -> None:
    made(tmp_path, *(f"{'x' * 200}{number}.py" for number in range(500)))
    with pytest.raises(HarnessError) as raised:
        find_locustfiles(tmp_path)
    assert (raised.value.code, raised.value.params["count"]) == ("scenario-folder-too-large", 500)
