"""``report.html``: one file that opens from disk, without network; style, scripts and data stand in it.

plotly.js is embedded gzipped (a third of its size) and unpacked by the browser. Texts that came from the target or
the scenario pass :func:`harness.report.formatting.plain` and Jinja2's escaping; JSON islands hold no ``<``.
"""

from __future__ import annotations

import base64
import gzip
import json
import shlex
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.plan.hosts import LOCAL
from harness.plan.model import AttachedTarget, CommandTarget, RunPlan
from harness.record.summary import Latency, Summary
from harness.recording.run import RunRecording
from harness.report import formatting
from harness.report.chart_data import chart_data
from harness.report.comparison import changes, not_compared
from harness.report.flames import flame_data
from harness.report.recorded import JudgedRun

_MEMORY_KINDS = {
    "memory-peak": "at the peak of memory",
    "memory-leaked": "never freed (leaked)",
    "memory-allocated": "allocated",
}

SCRIPTS = ("page.js",)
"""What every page begins with."""
_FLAME_SCRIPTS = ("flamegraph.js", "flames.js")
_SECTIONS = [
    ("gates", "Gates"),
    ("suspects", "Suspects"),
    ("phases", "Phases"),
    ("charts", "Charts"),
    ("endpoints", "Endpoints"),
    ("errors", "Errors"),
    ("flames", "Flame graphs"),
    ("baseline", "Baseline"),
    ("about", "About this run"),
]
"""The page's sections as its head names them, by their ids."""


def report_html(judged: JudgedRun) -> str:
    """The whole page."""
    run, summary = judged.recorded, judged.summary
    attached = isinstance(run.plan.target, AttachedTarget)
    return rendered(
        "report.html",
        sections=_SECTIONS if summary.suspects else [entry for entry in _SECTIONS if entry[0] != "suspects"],
        cpu_off=run.plan.sampling.cpu is None,
        memory_off=run.plan.sampling.memory is None,
        memory_because="Memory is only recorded of a target that the harness starts." if attached else "",
        plan=run.plan,
        summary=summary,
        ending=_ending(run),
        main=main_phase(summary),
        journal=run.journal,
        environment=run.environment,
        baseline=run.baseline,
        changes=changes(run),
        not_compared=not_compared(run),
        profile_notes=run.profiles.notes,
        warnings=[*summary.warnings, *judged.missing],
        has_load=any(len(second.table) for second in run.journal.seconds),
        command=command_line(run.plan),
        charts=chart_data(run, summary),
        scripts=(*SCRIPTS, "chartkinds.js", "charts.js"),
        flames=flame_data(judged.profiles, run),
    )


def rendered(template: str, *, flames: list[dict[str, Any]], scripts: Sequence[str], **values: Any) -> str:
    """A page of ``template`` with style, scripts, plotly.js and the flame graphs' data in it."""
    return (
        _environment()
        .get_template(template)
        .render(
            values,
            flames=flames,
            cpu_flames=[(place, flame["phase"]) for place, flame in enumerate(flames) if flame["kind"] == "cpu"],
            memory_flames=[
                (place, f"{_MEMORY_KINDS[flame['kind']]} · {flame['phase']}")
                for place, flame in enumerate(flames)
                if flame["kind"] != "cpu"
            ],
            style=Markup(_asset("report.css")),
            scripts=[Markup(_asset(name)) for name in (*scripts, *_FLAME_SCRIPTS)],
            plotly=Markup(_plotly()),
        )
    )


def _ending(run: RunRecording) -> str:
    if run.journal.end_reason == "interrupted":
        return " · interrupted"
    unsaid = run.journal.end_reason is None and any(len(second.table) for second in run.journal.seconds)
    return " · ended without saying so" if unsaid else ""


def main_phase(summary: Summary) -> str | None:
    """The name of the phase a reader wants first: the first steady one, else the first measured, else the first."""
    steady = [phase for phase in summary.phases if phase.kind == "steady" and phase.measured]
    measured = [phase for phase in summary.phases if phase.measured]
    return next((phase.name for phase in [*steady, *measured, *summary.phases]), None)


def command_line(plan: RunPlan) -> str:
    """The command that runs ``plan`` again, with the same random choices."""
    parts = ["harness", "run", ",".join(plan.scenario.locustfiles)]
    if plan.profile != "default":
        parts += ["--profile", plan.profile]
    for override in plan.overrides:
        parts += ["--set", override]
    if plan.remote_workers:
        parts += ["--bind", "0.0.0.0", "--expect-workers", str(plan.remote_workers)]
    parts += ["--workers", str(plan.workers), "--seed", str(plan.seed)]
    parts += [word for entry in plan.allowed_hosts if entry.host != LOCAL for word in ("--allow-host", entry.host)]
    match plan.target:
        case AttachedTarget(url=url, pid=pid, own_hosts=own_hosts):
            parts += ([] if own_hosts else ["--host", url]) + (["--pid", str(pid)] if pid is not None else [])
        case CommandTarget(command=command, ready_path=ready_path):
            parts += ["--target", command, "--ready", ready_path]
    parts += [word for tag in plan.tags for word in ("--tags", tag)]
    parts += [word for tag in plan.exclude_tags for word in ("--exclude-tags", tag)]
    if plan.arguments:
        parts += ["--", *plan.arguments]
    return shlex.join(parts)


def json_island(value: Any) -> Markup:
    """``value`` as JSON that may stand in a ``<script>``: it holds no ``<``, ``>`` or ``&``, so nothing can end it."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def prose(text: str) -> Markup:
    """A sentence of the harness: what stands between backticks (a command to type, a key) is set as code."""
    pieces = formatting.plain(text).split("`")
    if len(pieces) % 2 == 0:
        return escape("`".join(pieces))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(pieces))


def differs(one: Latency, other: Latency) -> bool:
    """Whether a reader would see it: some figure more than 2 % away."""
    pairs = zip(one.model_dump().values(), other.model_dump().values(), strict=True)
    return any(a is not None and b is not None and abs(a - b) > 0.02 * b for a, b in pairs)


def _finalize(value: object) -> object:
    """Every text that a template prints: without control characters, whatever wrote it."""
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
    named = (
        formatting.number,
        formatting.ms,
        formatting.percent,
        formatting.change,
        formatting.points,
        formatting.rate,
        formatting.size,
        formatting.seconds,
    )
    for function in (
        *named,
        prose,
        differs,
        formatting.duration,
        formatting.moment,
        formatting.in_unit,
        formatting.interval,
        json_island,
    ):
        environment.filters[function.__name__] = function
    return environment


def _asset(name: str) -> str:
    return (files("harness.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """plotly.js as the plotly package brings it: gzipped, base64."""
    source = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    return base64.b64encode(gzip.compress(source, 9, mtime=0)).decode("ascii")
