"""Makes a managed target send its spans to the harness, with ``opentelemetry-instrument``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.messages import Message, message
from harness.targets.agent_client import AGENT_FOLDER

_INSTRUMENT = "opentelemetry-instrument"
_LAUNCHERS = frozenset({"uv", "uvx", "poetry", "pdm", "pipenv", "hatch", "rye", "env", "sh", "bash", "dash"})
"""Programs that start another one, whose command line does not show whether that one is Python."""

FLUSH_S = 0.5
"""How often the target's SDK sends what it has; by default it waits 5 s, and the last spans of a run were lost."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """Where spans are received, and whether Python targets are instrumented. ``notes``: what could not be done."""

    url: str
    instrument: bool
    notes: dict[Message, None] = field(default_factory=dict)


def otel_environment(tracing: Tracing, service: str, given: Mapping[str, str]) -> dict[str, str]:
    """``given`` with the variables of OpenTelemetry's SDKs. Only requests that ask for it are recorded."""
    return {
        "OTEL_SERVICE_NAME": service,
        **given,
        "OTEL_EXPORTER_OTLP_ENDPOINT": tracing.url,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{tracing.url}/v1/traces",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",
        "OTEL_PROPAGATORS": "tracecontext,baggage",
        "OTEL_BSP_SCHEDULE_DELAY": f"{1000 * FLUSH_S:.0f}",
        "OTEL_BSP_MAX_QUEUE_SIZE": "32768",
    }


def instrumented(words: Sequence[str], environment: Mapping[str, str], tracing: Tracing) -> list[str]:
    """The command that starts a Python target under ``opentelemetry-instrument``; others as they are.

    If the target's environment lacks it, a note says how to install it.
    """
    program = shutil.which(words[0], path=environment.get("PATH"))
    if not tracing.instrument or program is None or Path(program).name == _INSTRUMENT:
        return list(words)
    found: str | None = str(Path(program).parent / _INSTRUMENT)
    if not os.access(str(found), os.X_OK):
        found = shutil.which(_INSTRUMENT, path=environment.get("PATH")) if Path(program).name in _LAUNCHERS else None
    if found is not None:
        # It puts its own sitecustomize first, and Python imports no other. Ours runs the next one.
        return [found, "/bin/sh", "-c", 'PYTHONPATH="$0:$PYTHONPATH" exec "$@"', AGENT_FOLDER, *words]
    if _is_python(Path(program)):
        tracing.notes[message("target-not-instrumented", command=words[0])] = None
    return list(words)


def _is_python(program: Path) -> bool:
    if program.name.startswith(("python", "pypy")):
        return True
    try:
        with program.open("rb") as file:
            first = file.readline(200)
    except OSError:
        return False
    return first.startswith(b"#!") and b"python" in first
