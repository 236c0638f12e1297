"""The shop starts only with valid settings, and leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from harness.shop.process import main, temporary_folder
from tests.integration.shop.buyer import Buyer
from tests.integration.shop.vendor import held_vendor
from tests.support.children import free_port, stop
from tests.support.shop_process import shop_environment, start_shop
from tests.support.targets import all_ended, runs


def the_vendor(pid: int) -> psutil.Process:
    (child,) = psutil.Process(pid).children(recursive=True)
    assert "harness.shop.payment" in child.cmdline()
    return child


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_ends_it_cleanly(ending: signal.Signals, tmp_path: Path) -> None:
    with start_shop({"TMPDIR": str(tmp_path)}, as_command=True) as shop:
        child = the_vendor(shop.pid)
        assert [folder.name.startswith("harness-shop-") for folder in tmp_path.iterdir()] == [True]

        assert stop(shop.process, ending) == 0

        assert not runs(child.pid)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_folder_of_a_shop_that_was_killed_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with ExitStack() as running, ExitStack() as starting:
        of_running = temporary_folder(running)
        with start_shop({"TMPDIR": str(tmp_path)}, as_command=True) as killed:
            stop(killed.process, signal.SIGKILL)
        assert len(list(tmp_path.iterdir())) == 2
        of_next = temporary_folder(starting)
        assert set(tmp_path.iterdir()) == {of_running, of_next}


@pytest.mark.slow
def test_ctrl_c_reaches_the_vendor_too_but_only_the_death_of_the_shop_ends_it(tmp_path: Path) -> None:
    with start_shop({"SHOP_DATA_DIR": str(tmp_path)}, as_command=True) as shop:
        child = the_vendor(shop.pid)
        child.send_signal(signal.SIGINT)
        with Buyer(shop.url) as buyer:
            assert buyer.buy(1).status_code == 201

        assert stop(shop.process, signal.SIGKILL) == -signal.SIGKILL

        assert all_ended([child.pid])


def test_a_checkout_that_is_under_way_is_finished_before_the_end(tmp_path: Path) -> None:
    env = {"SHOP_DATA_DIR": str(tmp_path)}
    with held_vendor() as vendor, start_shop({**env, "SHOP_PAYMENT_URL": vendor.url}) as shop:
        with (
            Buyer(shop.url) as buyer,
            socket.create_connection(("127.0.0.1", int(shop.url.rsplit(":", 1)[1]))) as client,
        ):
            buyer.add(1)
            client.sendall(
                f"POST /checkout HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {buyer.token}\r\n"
                "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            assert vendor.charged.wait(10)
            shop.process.send_signal(signal.SIGTERM)
            vendor.release.set()

            assert client.recv(100).startswith(b"HTTP/1.1 201")
        assert shop.process.wait(15) == 0

    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        assert database.execute("SELECT count(*) FROM shop_orders").fetchone() == (1,)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "env", "says"),
    [
        (
            "harness.shop",
            {"SHOP_DEFECTS": "leek"},
            "shop: SHOP_DEFECTS: no defect is called 'leek'; did you mean leak?\n",
        ),
        (
            "harness.shop.payment",
            {"PAYMENT_LATENCY_MS": "soon"},
            "payment: PAYMENT_LATENCY_MS: 'soon' is not a number from 0 to 600000\n",
        ),
    ],
)
def test_a_setting_that_is_wrong_ends_the_process_with_one_line(program: str, env: dict[str, str], says: str) -> None:
    command = [sys.executable, "-m", program, "--port", "0"]

    ended = subprocess.run(command, env=shop_environment(env), capture_output=True, text=True, timeout=30)

    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", says)


@pytest.fixture
def own_signals() -> Iterator[None]:
    """The shop takes over the signals of its process, which here is that of the tests."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"SHOP_DATABASE_URL": "nonsense"}, "SHOP_DATABASE_URL: cannot use the database: "),
        ({"SHOP_DATABASE_URL": "mysql://a@b/c"}, "SHOP_DATABASE_URL: mysql is neither sqlite nor postgresql"),
        ({"SHOP_DATABASE_URL": "postgresql://postgres@127.0.0.1:1/x"}, "SHOP_DATABASE_URL: cannot use the database: "),
        ({"SHOP_DATABASE_URL": "postgresql+psycopg2://a@127.0.0.1:1/x"}, "the driver psycopg2 is not installed"),
        ({"SHOP_DATABASE_URL": "sqlite://"}, "SHOP_DATABASE_URL: SQLite in memory is one database per connection"),
        ({"SHOP_DATABASE_URL": "sqlite:////proc/version"}, "SHOP_DATABASE_URL: cannot use the database: "),
        ({"SHOP_SEED": "keep"}, "SHOP_SEED: there is nothing to keep in sqlite:///"),
        ({"SHOP_CACHE_URL": "memcached://x"}, "SHOP_CACHE_URL: 'memcached://x' is neither memory:// nor redis://"),
        ({"SHOP_CACHE_URL": "redis://127.0.0.1:1/0"}, "SHOP_CACHE_URL: cannot use redis://127.0.0.1:1/0: "),
        ({"SHOP_DATA_DIR": "/dev/null/x"}, "SHOP_DATA_DIR: cannot make /dev/null/x: "),
    ],
)
@pytest.mark.usefixtures("own_signals")
def test_what_it_cannot_use_is_named(
    env: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    assert main(["--port", "0"]) == 2

    result = capsys.readouterr().err
    assert says in result
    assert result.count("\n") == 1


@pytest.mark.usefixtures("own_signals")
def test_an_address_that_cannot_be_listened_on_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["--port", port]) == 2
        assert f"shop: --port {port}: cannot listen on 127.0.0.1:{port}: " in capsys.readouterr().err

    assert main(["--host", "no.such.host.invalid", "--port", "0"]) == 2
    assert "shop: --host no.such.host.invalid: " in capsys.readouterr().err


def test_a_vendor_whose_parent_is_already_gone_does_not_start() -> None:
    nobody = str(os.getppid())
    command = [sys.executable, "-m", "harness.shop.payment", "--port", str(free_port()), "--parent", nobody]

    assert subprocess.run(command, timeout=30, env=shop_environment()).returncode == 1
