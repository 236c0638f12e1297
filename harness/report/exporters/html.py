"""``report.html``: every section in one file that opens from disk without network; styles, scripts and data are in it.

plotly.js is embedded gzipped (a third of its size) and unpacked by the browser. Texts that come from the target or
the scenario pass :func:`harness.report.formatting.plain` and Jinja2's escaping. JSON in the page holds no ``<``.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.report import formatting
from harness.report.contents import Exporter, Report
from harness.report.section import Section
from harness.report.sections import SECTIONS

_SCRIPTS = ("page.js",)
"""What the page runs before the scripts of its sections."""


@dataclass(frozen=True, slots=True)
class PageSection:
    """A section as the page shows it. ``data`` is what its scripts read."""

    section: Section
    html: Markup
    data: Any


def report_html(report: Report) -> str:
    """The whole page."""
    parts = [part for section in SECTIONS if (part := page_section(section, report)) is not None]
    scripts = dict.fromkeys([*_SCRIPTS, *(script for part in parts for script in part.section.scripts)])
    return (
        _environment()
        .get_template("page.html")
        .render(
            summary=report.summary,
            sections=parts,
            style=Markup(_asset("report.css")),
            scripts=[Markup(_asset(name)) for name in scripts],
            plotly=Markup(_plotly()),
        )
    )


def page_section(section: Section, report: Report) -> PageSection | None:
    """``section`` as HTML; None if the page leaves it out."""
    values = section.values(report)
    if values is None:
        return None
    html = _environment().get_template(section.template).render(values, section=section, summary=report.summary)
    return PageSection(section, Markup(html), values.get("data"))


def json_island(value: Any) -> Markup:
    """``value`` as JSON for a ``<script>``. It holds no ``<``, ``>`` or ``&``, so nothing can end the script."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def prose(text: str) -> Markup:
    """A sentence in which text between backticks (a command to type, a key) is set as code."""
    pieces = formatting.plain(text).split("`")
    if len(pieces) % 2 == 0:
        return escape("`".join(pieces))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(pieces))


def _finalize(value: object) -> object:
    """Every text that a template prints, without control characters, whoever wrote it."""
    return formatting.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        prose,
        json_island,
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
    ):
        environment.filters[function.__name__] = function
    environment.globals["parts"] = environment.get_template("parts.html").module
    return environment


def _asset(name: str) -> str:
    return (files("harness.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """plotly.js as the plotly package brings it: gzipped, base64."""
    source = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    return base64.b64encode(gzip.compress(source, 9, mtime=0)).decode("ascii")


HTML = Exporter("report", "report.html", report_html)
