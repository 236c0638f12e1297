"""Which database is meant, and that no password is ever shown."""

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.record.redaction import redacted
from harness.store.address import resolve


def test_the_default_is_a_file_beside_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    assert resolve(None, tmp_path).shown == str(tmp_path / "store.sqlite")


def test_the_environment_variable_names_a_teams_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_STORE", "sqlite:////srv/team/store.sqlite")
    assert resolve(None, tmp_path).shown == "/srv/team/store.sqlite"


def test_a_given_url_beats_the_environment_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_STORE", "sqlite:////srv/team/store.sqlite")
    assert resolve("sqlite:////srv/mine.sqlite", tmp_path).shown == "/srv/mine.sqlite"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_means_psycopg_3(scheme: str, tmp_path: Path) -> None:
    address = resolve(f"{scheme}://ann:secret@db:5433/perf", tmp_path)
    assert address.url.drivername == "postgresql+psycopg"
    assert address.url.password == "secret"
    assert address.shown == "postgresql://ann:***@db:5433/perf"


def test_a_password_given_as_a_parameter_is_redacted_too(tmp_path: Path) -> None:
    address = resolve("postgresql://db/perf?user=ann&password=hunter2&sslmode=require", tmp_path)
    assert "hunter2" not in address.shown
    assert "sslmode=require" in address.shown


def test_a_drivers_message_loses_the_passwords(tmp_path: Path) -> None:
    address = resolve("postgresql://ann:secret@db/perf?sslpassword=hunter2", tmp_path)
    assert address.without_secrets("no: secret, hunter2, db") == "no: ***, ***, db"


@pytest.mark.parametrize(
    ("url", "code", "params"),
    [
        ("store.sqlite", "store-url-invalid", {}),
        ("postgresql://ann:secret@db:port/perf", "store-url-invalid", {}),
        ("mysql://ann:secret@db/perf", "store-kind-unknown", {"kind": "mysql"}),
        ("postgresql+psycopg2://ann:secret@db/perf", "store-kind-unknown", {"kind": "postgresql+psycopg2"}),
        ("sqlite://", "store-url-without-file", {}),
        ("sqlite:///:memory:", "store-url-without-file", {}),
    ],
)
def test_a_wrong_url_is_reported_with_the_right_form_and_without_its_password(
    url: str, code: str, params: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(HarnessError) as raised:
        resolve(url, tmp_path)
    assert (raised.value.code, raised.value.params, raised.value.where) == (code, params, "HARNESS_STORE")
    text = str(raised.value)
    assert "postgresql://user@host/database" in text
    assert redacted(text) == text
    assert "secret" not in text
