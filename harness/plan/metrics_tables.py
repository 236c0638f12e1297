"""``[metrics.NAME]`` of a profile or the project: sources of metrics, and what is kept of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from harness.errors import InvalidValue
from harness.messages import alternatives
from harness.metrics.series import SeriesFigure
from harness.plan.config_source import ConfigSource
from harness.plan.model.sampling import MetricsSource
from harness.plan.problems import Problems, Where
from harness.plan.validation_errors import checked
from harness.record.redaction import redacted
from harness.sources import SOURCES, SourceKind, source_kind
from harness.sources.selector import Selector

OWN_SOURCES = ("target", "generator", "machine")
"""What the harness samples itself, each second."""
MOST_SOURCES = 50
_NAME = re.compile(r"[A-Za-z_][\w-]*")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_RATIO = re.compile(r"([^/()+]+)/\s*(?:\(([^/()]+)\)|([^/()+]+))")


def _with_variables(text: str) -> str:
    """``$NAME`` and ``${NAME}`` replaced, so that no password need stand in a file."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in os.environ:
            raise InvalidValue("metrics-variable-unset", name=name)
        return os.environ[name]

    return _VARIABLE.sub(value, text)


def _url(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue("metrics-url-invalid", value=str(value), examples=_examples())
    url = _with_variables(value.strip())
    if url.startswith("/"):
        return url
    try:
        parts = urlsplit(url)
        known = source_kind(parts.scheme) if parts.scheme and "://" in url else None
        valid = known is not None and parts.port is not False
    except ValueError:  # a port that is not a number
        valid = False
    if not valid:
        raise InvalidValue("metrics-url-invalid", value=redacted(url), examples=_examples())
    return url


def _examples() -> list[str]:
    return [*(kind.example for kind in SOURCES), "/metrics"]


def _series(value: object) -> object:
    for text in value if isinstance(value, list) else ():
        if not isinstance(text, str) or Selector.parse(text) is None:
            raise InvalidValue("series-name-invalid", value=text)
    return value


def ratio_of(text: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The series of ``"hits / (hits + misses)"``: of the numerator, and of the denominator. Raises ``InvalidValue``."""
    found = _RATIO.fullmatch(text.strip()) if isinstance(text, str) else None
    parts = ([found[1]], (found[2] or found[3]).split("+")) if found else ([], [])
    above, below = (tuple(part.strip() for part in side) for side in parts)
    if not above or any(Selector.parse(part) is None for part in (*above, *below)):
        raise InvalidValue("ratio-invalid", value=text)
    return above, below


def _ratio(value: object) -> object:
    ratio_of(value)
    return value


class MetricsTable(BaseModel):
    """``[metrics.NAME]``: where to read, what to keep, and quotients of it that have a name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    synonyms: ClassVar[Mapping[str, str]] = {
        "dsn": "url", "uri": "url", "endpoint": "url", "address": "url", "path": "url", "names": "series",
        "metrics": "series", "ratios": "ratio", "keep": "series",
    }  # fmt: skip

    url: Annotated[str, BeforeValidator(_url)]
    series: Annotated[tuple[str, ...], BeforeValidator(_series), Field(max_length=200)] = ()
    ratio: dict[str, Annotated[str, BeforeValidator(_ratio)]] = {}


def read_sources(source: ConfigSource, tables: Any, problems: Problems) -> list[MetricsSource]:
    """The sources of ``tables``, which stand at ``metrics``. Adds what is wrong to ``problems``."""
    path = ("metrics",)
    if tables is None:
        return []
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        problems.add("metrics-not-tables", where=source.where(path))
        return []
    if len(tables) > MOST_SOURCES:
        problems.add("too-many-tables", where=source.where(path), key="metrics", count=len(tables), most=MOST_SOURCES)
        return []
    found = []
    for name, table in tables.items():
        where = source.where((*path, name))
        if not _NAME.fullmatch(name):
            problems.add("metrics-name-invalid", where=where, name=name)
        elif name in OWN_SOURCES:
            problems.add("metrics-name-taken", where=where, name=name)
        read = checked(MetricsTable, table, (*path, name), source, problems)
        if read is not None:
            kind = _kind(read.url)
            found.append(
                MetricsSource(name=name, kind=kind.name, url=read.url, series=read.series, ratios=dict(read.ratio))
            )
    return found


def _kind(url: str) -> SourceKind:
    kind = source_kind("http" if url.startswith("/") else urlsplit(url).scheme)
    assert kind is not None, "the URL was checked"
    return kind


def kind_of(source: MetricsSource) -> SourceKind:
    """What kind a source is."""
    return next(kind for kind in SOURCES if kind.name == source.kind)


def split_name(series: str, sources: Sequence[MetricsSource]) -> tuple[str | None, str]:
    """The source that a series' name begins with (``db.lock_waits``), if one is called so, and the rest."""
    before, dot, rest = series.partition(".")
    known = dot and before in {*OWN_SOURCES, *(source.name for source in sources)}
    return (before, rest) if known else (None, series)


def keeping(sources: Sequence[MetricsSource], figures: Sequence[SeriesFigure]) -> tuple[MetricsSource, ...]:
    """The sources with all that is to be kept: what their tables name, their ratios, and what gates read."""
    named = [split_name(part.series, sources) for figure in figures for part in figure.parts]
    kept = []
    for source in sources:
        of_gates = [series for name, series in named if name in (None, source.name) and series not in source.ratios]
        of_ratios = [series for ratio in source.ratios.values() for side in ratio_of(ratio) for series in side]
        series = tuple(dict.fromkeys((*source.series, *of_ratios, *of_gates)))
        kept.append(source.model_copy(update={"series": series}))
    return tuple(kept)


def check_series(figure: SeriesFigure, sources: Sequence[MetricsSource], where: Where, problems: Problems) -> None:
    """Report names of series that no source can have."""
    for part in figure.parts:
        name, series = split_name(part.series, sources)
        if name in OWN_SOURCES:
            continue
        candidates = [source for source in sources if name in (None, source.name)]
        if not candidates:
            problems.add("series-without-source", where=where, series=part.series)
            continue
        known = [_known(source) for source in candidates]
        if all(names is not None and series not in names for names in known):
            offered = sorted({one for names in known for one in names or ()})
            problems.add("series-unknown", where=where, series=part.series, alternatives=alternatives(series, offered))
        elif Selector.parse(series) is None:
            problems.add("series-name-invalid", where=where, value=series)


def with_sources(figure: SeriesFigure, sources: Sequence[MetricsSource]) -> SeriesFigure:
    """The figure with each series named with its source, where that is certain: figures of runs are found by name."""
    name, series = split_name(figure.series, sources)
    if name is None:
        able = [source for source in sources if (known := _known(source)) is None or series in known]
        sure = [source for source in able if _known(source) is not None or series in (*source.series, *source.ratios)]
        found = next((group[0] for group in (sure, able) if len(group) == 1), None)
        series = figure.series if found is None else f"{found.name}.{series}"
    else:
        series = figure.series
    per = None if figure.per is None else with_sources(figure.per, sources)
    return SeriesFigure(series, figure.statistic, per)


def _known(source: MetricsSource) -> set[str] | None:
    """All series of a source; None if only its server knows."""
    kind = kind_of(source)
    return None if kind.series is None else {*kind.series, *kind.ratios, *source.ratios}
