"""``report.html``: every section in one file that opens from disk without network.

plotly.js and the data of charts are embedded gzipped (a third of their size) and unpacked by the browser. Texts that
come from the target or the scenario pass :func:`harness.record.plain_text.plain` and Jinja2's escaping. Should one get
through, the page's Content-Security-Policy runs no script but ours, and nothing reaches the network.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.record.comparison import Comparison
from harness.record.history import History
from harness.record.plain_text import plain
from harness.report import formatting
from harness.report.cache import CachedTemplates, cached
from harness.report.contents import Content, Exporter, Report, SectionOf
from harness.report.sections import COMPARISON_SECTIONS, HISTORY_SECTIONS, SECTIONS

_LEVEL = 6
"""Of gzip: the highest takes three times as long for 1 % less."""
_STYLES = ("charts.css", "report.css")
_SCRIPTS = ("selection.js", "page.js")
"""What the page runs before the scripts of its sections."""


@dataclass(frozen=True, slots=True)
class PageSection:
    """A section as the page shows it. ``data`` is what its scripts read."""

    section: SectionOf[Any, Any]
    html: Markup
    data: Any


class _Plotly(NamedTuple):
    """plotly.js as pages embed it: packing it takes longer than all else of a page, so a process does it once."""

    packed: str
    digest: str


def report_html(report: Report) -> str:
    """The whole page of a run."""
    summary = report.summary
    title = f"{summary.verdict}: {summary.scenario} · {summary.profile}"
    return page(SECTIONS, report, summary=summary, title=title, source=f"the run folder `{summary.run_id}`")


def comparison_html(comparison: Comparison) -> str:
    """The whole page of two builds side by side."""
    a, b = (", ".join(f"`{run.run_id}`" for run in side) for side in (comparison.a, comparison.b))
    title = f"{comparison.verdict}: {comparison.b[0].scenario}"
    return page(COMPARISON_SECTIONS, comparison, summary=comparison, title=title, source=f"{a} (A) and {b} (B)")


def history_html(history: History) -> str:
    """The whole page of a scenario's history."""
    title = f"history: {history.scenario} · {history.profile}"
    source = f"the store: `{history.scenario}`, `{history.profile}`, environment `{history.fingerprint}`"
    return page(HISTORY_SECTIONS, history, summary=history, title=title, source=source)


def page(
    sections: Iterable[SectionOf[Any, Content]], report: Content, *, summary: object, title: str, source: str
) -> str:
    """The page of what ``sections`` show of ``report``, made from ``source``."""
    parts = [part for section in sections if (part := page_section(section, report, summary)) is not None]
    names = dict.fromkeys([*_SCRIPTS, *(script for part in parts for script in part.section.scripts)])
    scripts = [_asset(name) for name in names]
    plotly = _plotly() if len(names) > len(_SCRIPTS) else None
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title,
            source=source,
            sections=parts,
            style=Markup("".join(map(_asset, _STYLES))),
            scripts=[Markup(script) for script in scripts],
            plotly=plotly and plotly.packed,
            policy=_policy([*map(_digest, scripts), *([plotly.digest] if plotly else [])]),
        )
    )


def page_section(section: SectionOf[Any, Content], report: Content, summary: object = None) -> PageSection | None:
    """``section`` as HTML; None if the page leaves it out."""
    values = section.values(report)
    if values is None:
        return None
    html = _environment().get_template(section.template).render(values, section=section, summary=summary)
    return PageSection(section, Markup(html), values.get("data"))


def packed(text: str) -> str:
    """``text`` gzipped, in base64: the scripts unpack it by ``page.unpacked``."""
    return base64.b64encode(gzip.compress(text.encode(), _LEVEL, mtime=0)).decode("ascii")


def packed_json(value: Any) -> str:
    """``value`` as JSON, packed."""
    return packed(json.dumps(value, allow_nan=False, separators=(",", ":")))


@cache
def _plotly() -> _Plotly:
    text = files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")
    digest = _digest(text)
    return _Plotly(cached("plotly", digest, lambda: packed(text)), digest)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _policy(digests: Iterable[str]) -> str:
    """A Content-Security-Policy under which these scripts run, no other, and the network is out of reach."""
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # plotly.js makes style elements, and images of heat maps.
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def prose(text: str) -> Markup:
    """A sentence in which text between backticks (a command to type, a key) is set as code."""
    pieces = plain(text).split("`")
    if len(pieces) % 2 == 0:
        return escape("`".join(pieces))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(pieces))


def _finalize(value: object) -> object:
    """Every text that a template prints, without control characters, whoever wrote it."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("harness.report"),
        bytecode_cache=CachedTemplates(),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        prose,
        packed_json,
        formatting.number,
        formatting.ms,
        formatting.seconds,
        formatting.percent,
        formatting.change,
        formatting.points,
        formatting.rate,
        formatting.size,
        formatting.duration,
        formatting.date_time,
        formatting.in_unit,
        formatting.interval,
        formatting.load,
    ):
        environment.filters[function.__name__] = function
    environment.globals["parts"] = environment.get_template("parts.html").module
    return environment


def _asset(name: str) -> str:
    return (files("harness.report") / "assets" / name).read_text(encoding="utf-8")


HTML = Exporter("report", "report.html", report_html)
