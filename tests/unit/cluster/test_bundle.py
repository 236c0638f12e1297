"""Which files of a scenario other machines are sent, and where they are laid down."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cluster import bundle
from harness.cluster.bundle import Bundle, collect
from tests.support.errors import harness_error
from tests.support.requirements import require_program, require_root


def write(folder: Path, **files: str) -> None:
    """Files by their path: ``__`` for a slash, ``_DOT_`` for a point."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_what_it_imports_and_names_is_sent_and_nothing_else(tmp_path: Path) -> None:
    shop = tmp_path / "shop.py"
    write(
        tmp_path,
        shop_DOT_py="import os, helper\nfrom lib.deep import login\nDATA = open('users.csv')\nT = 'a title'",
        helper_DOT_py="from lib import more",
        unrelated_DOT_py="",
        secrets_DOT_env="KEY=1",
        users_DOT_csv="ann",
        lib__deep__login_DOT_py="",
        lib__more_DOT_py="",
        lib__other_DOT_py="",
    )
    (tmp_path / "lib" / "__init__.py").write_text("")
    (tmp_path / "lib" / "deep" / "__init__.py").write_text("from . import near")
    (tmp_path / "lib" / "deep" / "near.py").write_text("from ..more import x")
    sent = collect([shop], Path("/nowhere"))
    assert sent.scenario == ("shop.py",)
    assert sorted(sent.files) == [
        "helper.py",
        "lib/__init__.py",
        "lib/deep/__init__.py",
        "lib/deep/login.py",
        "lib/deep/near.py",
        "lib/more.py",
        "shop.py",
        "users.csv",
    ]


def test_paths_are_as_seen_from_where_harness_was_called(tmp_path: Path) -> None:
    write(
        tmp_path,
        scenarios__buy_DOT_py="import beside, common.carts\nopen('data/ids.txt')",
        scenarios__beside_DOT_py="",
        common__carts_DOT_py="",
        data__ids_DOT_txt="1",
    )
    sent = collect([tmp_path / "scenarios" / "buy.py"], tmp_path)
    assert sent.scenario == ("scenarios/buy.py",)
    assert sorted(sent.files) == ["common/carts.py", "data/ids.txt", "scenarios/beside.py", "scenarios/buy.py"]


def test_a_package_is_sent_as_one(tmp_path: Path) -> None:
    package = tmp_path / "flows"
    write(package, first_DOT_py="from .base import Base", second_DOT_py="", base_DOT_py="")
    (package / "__init__.py").write_text("")
    sent = collect([package / "first.py", package / "second.py"], Path("/nowhere"))
    assert sent.scenario == ("flows/first.py", "flows/second.py")
    assert sorted(sent.files) == ["flows/__init__.py", "flows/base.py", "flows/first.py", "flows/second.py"]


def test_odd_sources_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_text('A = "\\ud800", "a\\0b", "' + "x" * 300 + '", "..", ".", "", "~", "/etc/hostname", "../odd.py"')
    assert sorted(collect([path], tmp_path).files) == ["odd.py"]
    path.write_text("not python at all")
    assert sorted(collect([path], tmp_path).files) == ["odd.py"]


def test_what_is_hidden_or_lies_elsewhere_or_is_only_spoken_of_is_not_sent(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    write(outside, key_DOT_pem="private", module_DOT_py="")
    write(inside, real_DOT_csv="1", spoken_DOT_csv="", _DOT_env="KEY=1", _DOT_git__config="")
    (inside / "linked.csv").symlink_to("real.csv")
    (inside / "hidden.csv").symlink_to(".env")
    (inside / "key.pem").symlink_to(outside / "key.pem")
    (inside / "elsewhere").symlink_to(outside)
    names = "'linked.csv', 'hidden.csv', 'key.pem', 'elsewhere/key.pem', '.env', '.git/config'"
    write(inside, buy_DOT_py=f"'spoken.csv'\nimport elsewhere.module\nNAMES = [{names}]")
    assert sorted(collect([inside / "buy.py"], inside).files) == ["buy.py", "linked.csv"]


def test_a_scenario_that_is_a_link_or_hidden_is_what_was_asked_for(tmp_path: Path) -> None:
    write(tmp_path, here__beside_DOT_py="", there__buy_DOT_py="import beside")
    (tmp_path / "here" / ".buy.py").symlink_to(tmp_path / "there" / "buy.py")
    sent = collect([tmp_path / "here" / ".buy.py"], tmp_path / "here")
    assert sorted(sent.files) == [".buy.py", "beside.py"]


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    with harness_error("bundle-file-unreadable") as error:
        collect([tmp_path / "gone.py"], tmp_path)
    assert error.value.where == str(tmp_path / "gone.py")


def test_a_large_file_is_rejected_before_it_is_read(tmp_path: Path) -> None:
    write(tmp_path, big_DOT_py="open('rows.csv')", rows_DOT_csv="")
    os.truncate(tmp_path / "rows.csv", 1 << 42)  # sparse: no memory would hold it
    with harness_error("bundle-too-large"):
        collect([tmp_path / "big.py"], tmp_path)


def test_a_large_bundle_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, big_DOT_py="open('rows.csv')", rows_DOT_csv="1234567890")
    monkeypatch.setattr(bundle, "MOST_BYTES", 20)
    with harness_error("bundle-too-large"):
        collect([tmp_path / "big.py"], tmp_path)


def test_it_is_laid_down_for_its_owner_alone(tmp_path: Path) -> None:
    files = {"a/scenario.py": b"x = 1", "b.csv": b"\xff"}
    (path,) = Bundle(("a/scenario.py",), files).write_to(tmp_path)
    assert (path, path.read_bytes()) == (tmp_path / "a" / "scenario.py", b"x = 1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["../out.py", "/tmp/out.py", "a/../../out.py", ""])
def test_a_path_outside_the_folder_is_rejected(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="leads out of the folder"):
        Bundle((name,), {name: b""}).write_to(tmp_path / "inside")


def test_names_of_what_cannot_be_looked_up_are_left_out(tmp_path: Path) -> None:
    """A path in a folder that this user may not enter is like one that is not there, and so is one too long."""
    require_root()
    names = f"import {'m' * 300}, closed.lib\nA = 'closed/ids.txt'\nopen('ids.txt')"
    write(tmp_path, buy_DOT_py=names, ids_DOT_txt="1", closed__ids_DOT_txt="2", closed__lib_DOT_py="")
    (tmp_path / "closed").chmod(0)
    code = "import sys; from pathlib import Path; from harness.cluster.bundle import collect;"
    code += "print(*collect([Path(sys.argv[1])], Path.cwd()).files)"
    as_others = [require_program("setpriv", "util-linux"), "--bounding-set", "-dac_override,-dac_read_search"]
    command = [*as_others, sys.executable, "-c", code, str(tmp_path / "buy.py")]
    assert subprocess.check_output(command, text=True).split() == ["buy.py", "ids.txt"]
