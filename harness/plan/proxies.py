"""``[proxies.NAME]`` of a profile or the project: a dependency, and how the target finds the proxy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictBool, StrictStr, model_validator

from harness.errors import InvalidValue
from harness.messages import alternatives
from harness.plan.config_source import ConfigSource, KeyPath
from harness.plan.hosts import is_loopback, split_address
from harness.plan.model.fault import BEFORE_TARGET, PlannedProxy
from harness.plan.model.target import AttachedTarget, PlannedTarget
from harness.plan.problems import Problems, shown
from harness.plan.validation_errors import checked
from harness.record.redaction import redacted

_NAME = re.compile(r"[A-Za-z_][\w-]*")
_PLACES = ("{address}", "{host}", "{port}")
_TOXIPROXY_PORT = 8474


def _address(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue("proxy-address-invalid", value=value)
    split_address(value)
    return value


def _upstream(value: object) -> str:
    address = _address(value)
    if split_address(address)[1] == 0:
        raise InvalidValue("proxy-address-invalid", value=value)
    return address


def _toxiproxy(value: object) -> str:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        valid = parts.scheme == "http" and parts.hostname and parts.port != 0 and parts.username is None
    except ValueError:  # a port that is not a number, or half an IPv6 address
        valid = False
    if not valid:
        raise InvalidValue("proxy-toxiproxy-invalid", value=redacted(str(value)))
    return str(value).rstrip("/")


class ProxyTable(BaseModel):
    """``[proxies.NAME]``. Of a Toxiproxy, ``upstream`` may be left out if it has a proxy of that name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    synonyms: ClassVar[Mapping[str, str]] = {
        "env": "environment", "target": "upstream", "to": "upstream", "address": "upstream", "bind": "listen",
        "from": "listen",
    }  # fmt: skip

    upstream: Annotated[str, BeforeValidator(_upstream)] | None = None
    listen: Annotated[str, BeforeValidator(_address)] = "127.0.0.1:0"
    """Port 0 is any free one."""
    of_target: StrictBool = False
    """Whether the target starts it, so that nothing listens there before the run."""
    toxiproxy: Annotated[str, BeforeValidator(_toxiproxy)] | None = None
    environment: dict[str, StrictStr] = {}
    """Variables of a managed target. ``{address}``, ``{host}``, ``{port}``: the proxy's; ``$NAME``: the harness's."""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if self.upstream is None and self.toxiproxy is None:
            raise InvalidValue("proxy-without-upstream")
        for name, value in self.environment.items():
            if not any(place in value for place in _PLACES):
                raise InvalidValue("proxy-environment-without-address", key="environment", name=name, value=value)
        return self


def read_proxies(source: ConfigSource, tables: Any, problems: Problems) -> list[PlannedProxy]:
    """The proxies of ``tables``, which stand at ``proxies``. Adds what is wrong to ``problems``."""
    path: KeyPath = ("proxies",)
    if tables is None:
        return []
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        problems.add("proxies-not-tables", where=source.where(path))
        return []
    found = []
    for name, table in tables.items():
        if not _NAME.fullmatch(name) or name == BEFORE_TARGET:
            problems.add("proxy-name-invalid", where=source.where((*path, name)), name=name)
        read = checked(ProxyTable, table, (*path, name), source, problems)
        if read is not None:
            where = {key: str(shown(source.where((*path, name, key)))) for key in table}
            found.append(
                PlannedProxy(name=name, where=where | {"": str(shown(source.where((*path, name))))}, **dict(read))
            )
    return found


def used_proxies(
    known: Sequence[PlannedProxy],
    target: PlannedTarget,
    source: ConfigSource,
    allowed: Collection[str],
    problems: Problems,
    *,
    remote_workers: int,
) -> tuple[PlannedProxy, ...]:
    """Those that faults of ``source`` name, checked: a run has no other, since a proxy takes time of each request.

    Of several ``known`` with one name, the last holds. ``allowed`` are the ``allowed_faults``.
    """
    of_name = {proxy.name: proxy for proxy in (*known, PlannedProxy(name=BEFORE_TARGET))}
    used: dict[str, PlannedProxy] = {}
    stated = source.data.get("proxies", {})
    for index, table in enumerate(source.data["fault"]):
        name, where = table.get("between"), source.where(("fault", index, "between"))
        if not isinstance(name, str):
            continue
        if name not in of_name:
            if not isinstance(stated, dict) or name in stated:
                continue  # what is wrong with that is reported already
            problems.add("fault-proxy-unknown", where=where, name=name, alternatives=alternatives(name, of_name))
            continue
        used[name] = of_name[name]
        if name == BEFORE_TARGET and isinstance(target, AttachedTarget) and not target.url:
            problems.add("proxies-without-target", where=where)
        if name == BEFORE_TARGET and remote_workers:
            problems.add("proxy-on-other-machines", where=where)
    _check_together([*used.values()], allowed, problems)
    return tuple(used.values())


def _check_together(used: Sequence[PlannedProxy], allowed: Collection[str], problems: Problems) -> None:
    for proxy in used:
        _check_allowed(proxy, allowed, problems)
    for key, values in (
        ("environment", [(name, proxy) for proxy in used for name in proxy.environment]),
        ("listen", [(proxy.listen, proxy) for proxy in used if split_address(proxy.listen)[1]]),
    ):
        times = Counter(value for value, _ in values)
        for value, proxy in values:
            if times[value] > 1:
                problems.add("proxy-value-twice", where=proxy.where[key], value=value)
                times[value] = 0


def _check_allowed(proxy: PlannedProxy, allowed: Collection[str], problems: Problems) -> None:
    """This machine may be reached, and anybody else only if the user has named it."""
    from harness.faults.place import setting_to_allow  # only here: few runs have faults

    touched = [("upstream", proxy.upstream), ("listen", proxy.listen)]
    if proxy.toxiproxy is not None:
        parts = urlsplit(proxy.toxiproxy)
        touched.append(("toxiproxy", f"{parts.hostname}:{parts.port or _TOXIPROXY_PORT}"))
    for key, address in touched:
        if address is not None and not is_loopback(split_address(address)[0]) and address not in allowed:
            setting = setting_to_allow(address, [*allowed])
            problems.add("proxy-address-not-allowed", where=proxy.where[key], address=address, setting=setting)
