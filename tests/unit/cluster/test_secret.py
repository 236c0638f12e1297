"""The secret of a run: from where it is taken, and the keys it gives."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from harness.cluster.listen_address import resolve_listen_address
from harness.cluster.secret import SHORTEST, VARIABLE, Keys, given_secret, new_secret
from harness.errors import HarnessError
from harness.record.redaction import redacted
from tests.support.errors import harness_error


def test_the_same_secret_gives_the_same_keys_and_another_others() -> None:
    secret = new_secret()
    keys, others = Keys.derive(secret), Keys.derive(new_secret())
    assert keys == Keys.derive(secret)
    parts = {pair.public for pair in (keys.master, keys.worker, others.master, others.worker)}
    assert len(parts) == 4


def test_the_variable_is_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "from the environment")
    assert given_secret(None) == "from the environment"
    assert VARIABLE not in os.environ
    assert given_secret(None) is None
    monkeypatch.setenv(VARIABLE, "from the environment")
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    assert given_secret(file) == "from the file"
    assert VARIABLE not in os.environ


def test_an_invalid_secret_is_rejected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "x" * (SHORTEST - 1))
    with harness_error("secret-too-short"):
        given_secret(None)
    monkeypatch.setenv(VARIABLE, "\udcff" * SHORTEST)
    with harness_error("secret-unreadable"):
        given_secret(None)
    with harness_error("secret-unreadable"):
        given_secret(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe" * 20)
    with harness_error("secret-unreadable"):
        given_secret(tmp_path / "binary")


def test_redaction_leaves_the_sentences_about_the_secret_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    for attempt in (
        lambda: given_secret(tmp_path / "none"),
        lambda: resolve_listen_address("127.0.0.1", None, None),
    ):
        with pytest.raises(HarnessError) as raised:
            attempt()
        assert redacted(str(raised.value)) == str(raised.value)
