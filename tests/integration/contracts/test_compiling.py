"""A document that would take all time or memory, or crash the validator, is rejected in time, with its place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.contracts import compiling
from harness.contracts.compiling import require_usable
from harness.errors import HarnessError
from tests.unit.contracts.support import promising

Json = Any


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def content_of(schemas: Json) -> bytes:
    """A document of ``GET /things``, which responds with the schema ``S0``."""
    return json.dumps(promising(ref("S0"), components=schemas).data).encode()


def doubled(levels: int = 60) -> Json:
    """Each schema has the next one twice, and what a value may have besides depends on all of them."""
    twice = {
        f"S{level}": {"allOf": [ref(f"S{level + 1}")] * 2, "unevaluatedProperties": False} for level in range(levels)
    }
    return {**twice, f"S{levels}": {"type": "object"}}


def test_a_document_that_can_be_used_is_copied_as_json(tmp_path: Path) -> None:
    copy = tmp_path / "openapi.json"
    yaml = b"openapi: 3.1.0\ninfo: {title: T, version: 1}\npaths: {}\n"
    digest = require_usable(yaml, "api.yaml", copy=copy)
    assert len(digest) == 64
    assert json.loads(copy.read_text()) == {"openapi": "3.1.0", "info": {"title": "T", "version": 1}, "paths": {}}


def test_what_is_wrong_with_a_document_is_said_as_it_was_found() -> None:
    with pytest.raises(HarnessError) as raised:
        require_usable(b"{}", "api.yaml")
    assert (raised.value.code, raised.value.where) == ("contract-not-openapi", "api.yaml")


def test_a_user_need_not_wait_for_a_document() -> None:
    begun_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        require_usable(content_of(doubled()), "api.yaml", interrupted=lambda: True)
    assert time.monotonic() - begun_s < compiling.CPU_S / 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schemas", "cpu_s", "memory", "code", "where"),
    [
        (doubled, 2, 1 << 30, "contract-takes-time", "api.yaml: paths./things.get"),
        (lambda: {"S0": {"enum": list(range(1_000_000))}}, 20, 192 << 20, "contract-takes-memory", "api.yaml"),
    ],
    ids=["time", "memory"],
)
def test_a_document_that_takes_too_much_is_rejected_with_the_place(
    schemas: Callable[[], Json], cpu_s: int, memory: int, code: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "CPU_S", cpu_s)
    monkeypatch.setattr(compiling, "MEMORY", memory)
    with pytest.raises(HarnessError) as raised:
        require_usable(content_of(schemas()), "api.yaml")
    assert (raised.value.code, raised.value.exit_code) == (code, 2)
    assert str(raised.value.where).startswith(where)


def test_a_crash_of_the_validator_is_an_error_of_the_document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "jsonschema_rs.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(HarnessError) as raised:
        require_usable(content_of({"S0": {}}), "api.yaml")
    assert (raised.value.code, raised.value.where) == ("contract-crashes", "api.yaml")
