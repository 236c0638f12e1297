"""Reads an OpenAPI document and compiles its schemas in a process with limits on time and memory.

Schemas that contain each other twice take twice the time for each of them, and a long row of references the whole
stack. Nothing but the end of its process stops a compiler in the middle. So documents are tried here before any load.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from harness.contracts.checks import Contract
from harness.contracts.child import run_child
from harness.contracts.document import read_document
from harness.errors import HarnessError
from harness.prctl import die_with_parent
from harness.record.run_folder import write_text

CPU_S = 30
MEMORY = 4 << 30
"""Bytes of addresses. The largest public documents take a fraction of this and of the time."""
_NO_MEMORY = 3
"""An exit code."""
_LONGEST_PLACE = 500
_ENDS = {
    -signal.SIGXCPU: "contract-takes-time",
    -signal.SIGABRT: "contract-takes-memory",  # as libraries in Rust end without it
    _NO_MEMORY: "contract-takes-memory",
}


def require_usable(
    content: bytes,
    source: str,
    base_path: str = "",
    copy: Path | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> str:
    """Check that a document can be used for checks, and write what it says to ``copy`` as JSON. Returns its SHA-256.

    Raises :class:`HarnessError` with what is wrong with the document, or where it takes too much time or memory, and
    ``KeyboardInterrupt`` as soon as ``interrupted()`` is true.
    """
    settings = {
        "source": source,
        "base_path": base_path,
        "copy": None if copy is None else str(copy.resolve()),
        "cpu_s": CPU_S,
        "memory": MEMORY,
    }
    child = run_child("harness.contracts.compiling", json.dumps(settings).encode() + b"\n" + content, interrupted)
    last = (child.stdout.splitlines() or [b""])[-1].decode(errors="replace")
    if child.returncode != 0:
        code = _ENDS.get(child.returncode, "contract-crashes")
        raise HarnessError(code, where=last or source, seconds=CPU_S, mib=MEMORY >> 20)
    found = json.loads(last)
    if "error" in found:
        raise HarnessError.from_data(found["error"])
    return str(found["sha256"])


def main() -> None:
    """The process: writes each place before it is compiled, and at the end what it found."""
    die_with_parent()
    settings = json.loads(sys.stdin.buffer.readline())
    for limited, most in (("CPU", settings["cpu_s"]), ("AS", settings["memory"]), ("CORE", 0)):
        kind = getattr(resource, f"RLIMIT_{limited}")
        soft, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if soft == resource.RLIM_INFINITY else min(most, soft), hard))
    try:
        document = read_document(sys.stdin.buffer.read(), settings["source"])
        Contract(document, base_path=settings["base_path"], compiling=lambda at: _say(_line(document.where(at))))
        if settings["copy"] is not None:
            write_text(Path(settings["copy"]), json.dumps(document.data, ensure_ascii=False) + "\n")
    except HarnessError as error:
        _say(json.dumps({"error": error.to_data()}))
    except MemoryError:
        os._exit(_NO_MEMORY)
    else:
        _say(json.dumps({"sha256": document.sha256}))


def _line(place: str) -> str:
    return " ".join(place.split())[:_LONGEST_PLACE]


def _say(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode(errors="replace"))
