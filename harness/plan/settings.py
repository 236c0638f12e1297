"""The keys of a profile besides its phases: gates, sampling, target, and how the run is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

from harness.errors import InvalidValue
from harness.plan.expression import parse_requirement
from harness.plan.hosts import parse_host
from harness.plan.model.sampling import MAX_OVERHEAD
from harness.plan.model.target import AllowedHost
from harness.plan.requirement import Comparison
from harness.quantities import Duration, Share

MOST_WORKERS = 1000
_OF_ENDPOINTS = ("requests", "traces", "contract", "faults")
"""What metrics need that are known of single endpoints."""
_MOST_NAMES = Field(max_length=1000)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _endpoint(value: object) -> str:
    if not isinstance(value, str) or len(value.split(maxsplit=1)) != 2:
        example = f"GET {value}" if isinstance(value, str) and value.startswith("/") else "POST /checkout"
        raise InvalidValue("endpoint-invalid", value=value, example=example)
    return value


def _between(least: int, most: int) -> BeforeValidator:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InvalidValue("number-out-of-range", value=value, least=least, most=most)
        return value

    return BeforeValidator(check)


def _switch(value: object) -> object:
    """``true`` is a table of defaults, ``false`` none."""
    if value is True:
        return {}
    if value is False:
        return None
    if not isinstance(value, Mapping):
        raise InvalidValue("switch-invalid", value=value)
    return value


def _environment_value(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidValue("environment-value-invalid", value=value)
    return str(value)


def _trace_url(value: object) -> str:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")) or "{trace_id}" not in value:
        raise InvalidValue("trace-url-invalid", value=value)
    return value


def _secret_name(value: object) -> str:
    if not isinstance(value, str) or len(value.strip()) < 2:
        raise InvalidValue("secret-name-invalid", value=value)
    return value.strip()


def _allowed_fault(value: object) -> str:
    word = value if isinstance(value, str) else ""
    if word.split() != [word] or (word.startswith("pid:") and not word.removeprefix("pid:").isdecimal()):
        raise InvalidValue("allowed-fault-invalid", value=value)
    return word


class GateTable(_Table):
    """``[[gate]]``; by default it reads every measured phase, and all requests together."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "requires": "require", "expression": "require", "threshold": "require", "condition": "require",
        "phases": "phase", "name": "endpoint", "url": "endpoint", "path": "endpoint",
    }  # fmt: skip

    require: Annotated[Comparison, BeforeValidator(parse_requirement)]
    phase: StrictStr | None = None
    endpoint: Annotated[str, BeforeValidator(_endpoint)] | None = None

    @model_validator(mode="after")
    def _endpoint_has_metric(self) -> Self:
        if self.endpoint is not None and self.require.measures.needs not in _OF_ENDPOINTS:
            raise InvalidValue("gate-endpoint-of-target", key="endpoint", metric=self.require.metric)
        return self


class CpuTable(_Table):
    """``cpu = {rate_hz = 100, max_overhead = "2%"}``: how many samples per second py-spy takes of the target at most,
    and how much of the machine's CPU time it may use for them."""

    rate_hz: Annotated[int, _between(1, 1000)] = 100
    max_overhead: Share = MAX_OVERHEAD


class MemoryTable(_Table):
    """``memory = {duration = "10s"}``: how long the diagnose phase lasts."""

    duration: Duration = 10.0


class SamplingTable(_Table):
    """``[sampling]``: both on by default; None is off."""

    cpu: Annotated[CpuTable | None, BeforeValidator(_switch)] = CpuTable()
    memory: Annotated[MemoryTable | None, BeforeValidator(_switch)] = MemoryTable()


class TargetTable(_Table):
    """``[target]``: ``command`` (with ``ready``, ``ready_timeout``) or ``url``; ``shop`` is a command, too."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "cmd": "command", "host": "url", "env": "environment", "health": "ready", "timeout": "ready_timeout",
        "trace": "traces", "tracing": "traces", "otel": "traces",
    }  # fmt: skip

    command: StrictStr | None = None
    ready: StrictStr = "/health"
    ready_timeout: Duration = 60.0
    environment: dict[str, Annotated[str, BeforeValidator(_environment_value)]] = {}
    url: StrictStr | None = None
    traces: StrictBool = False
    """Whether requests are traced; a Python target is then started under ``opentelemetry-instrument``."""
    trace_url: Annotated[str, BeforeValidator(_trace_url)] | None = None
    """Where people find a trace, with ``{trace_id}`` in it."""


class GuardRails(_Table):
    """What protects others from a run: keys of a profile and of the project's ``[tool.harness]``."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "allow_hosts": "allowed_hosts", "allowed_host": "allowed_hosts", "hosts": "allowed_hosts", "masks": "redact",
        "masked": "redact", "redacted": "redact", "secrets": "redact", "allow_faults": "allowed_faults",
    }  # fmt: skip

    allowed_faults: Annotated[tuple[Annotated[str, BeforeValidator(_allowed_fault)], ...], _MOST_NAMES] = ()
    """What faults may touch besides what the harness starts."""
    allowed_hosts: Annotated[tuple[Annotated[AllowedHost, BeforeValidator(parse_host)], ...], _MOST_NAMES] = ()
    redact: Annotated[tuple[Annotated[str, BeforeValidator(_secret_name)], ...], _MOST_NAMES] = ()
    mask: Annotated[tuple[Annotated[str, BeforeValidator(_secret_name)], ...], _MOST_NAMES] = ()
    """The former name of ``redact``."""

    @property
    def secret_names(self) -> tuple[str, ...]:
        return (*self.redact, *self.mask)


class Settings(GuardRails):
    """A profile without its phases, gates and faults."""

    synonyms: ClassVar[Mapping[str, str]] = {
        **GuardRails.synonyms,
        "phases": "phase", "stage": "phase", "stages": "phase", "gates": "gate", "thresholds": "gate",
        "threshold": "gate", "faults": "fault", "chaos": "fault", "proxy": "proxies", "processes": "workers",
        "fail_fast": "stop_early", "metric": "metrics", "contracts": "contract", "openapi": "contract",
    }  # fmt: skip

    description: StrictStr = ""
    phase: Any = None
    """Checked by kind, one by one; declared here to make the key known."""
    gate: Any = None
    fault: Any = None
    """Checked by kind, in :mod:`harness.plan.faults`."""
    metrics: Any = None
    """Checked one by one in :mod:`harness.plan.metrics_tables`."""
    proxies: Any = None
    """Checked one by one in :mod:`harness.plan.proxies`."""
    contract: Any = None
    """Checked in :mod:`harness.plan.contract`, with the files that it names."""
    sampling: SamplingTable = SamplingTable()
    target: TargetTable = TargetTable()
    stop_early: StrictBool = False
    stop_timeout: Duration = 10.0
    hook_timeout: Duration = 60.0
    workers: Annotated[int, _between(1, MOST_WORKERS)] | None = None
    seed: StrictInt | None = None
