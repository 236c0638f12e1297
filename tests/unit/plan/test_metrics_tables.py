"""``[metrics.NAME]``: what is read where, which gates may name it, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import InvalidValue
from harness.plan.metrics_tables import ratio_of
from tests.unit.plan.support import assert_found, plan_of, plan_problems

STEADY = '[[phase]]\nkind = "steady"\nusers = 5\nduration = "5s"\n'
SHOP = STEADY + '[metrics.shop]\nurl = "/metrics"\n'


def gate(text: str) -> str:
    return f"[[gate]]\nrequire = '''{text}'''\n"


def test_a_source_keeps_what_it_names_and_what_gates_read(tmp_path: Path) -> None:
    profile = SHOP + 'series = ["pool_*"]\nratio.hit_ratio = "hits / (hits + misses)"\n'
    plan = plan_of(
        tmp_path, "", profile + gate('metric("waits").max <= 0') + gate('metric("shop.hit_ratio").mean >= 80%')
    )
    (source,) = plan.sampling.metrics
    assert (source.name, source.kind, source.url) == ("shop", "prometheus", "/metrics")
    assert source.series == ("pool_*", "hits", "misses", "waits")
    assert [one.comparison.metric for one in plan.gates] == [
        'metric("shop.waits").max',
        'metric("shop.hit_ratio").mean',
    ]


def test_sources_of_the_project_are_read_in_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.harness.metrics.shop]\nurl = "/other"\n[tool.harness.metrics.app]\nurl = "http://127.0.0.1:1/m"\n'
    )
    monkeypatch.chdir(tmp_path)
    plan = plan_of(tmp_path, "", SHOP)
    assert [(source.name, source.url) for source in plan.sampling.metrics] == [
        ("shop", "/metrics"),
        ("app", "http://127.0.0.1:1/m"),
    ]


def test_a_password_comes_from_the_environment_and_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRAPE_PASSWORD", "geheim")
    plan = plan_of(tmp_path, "", STEADY + '[metrics.app]\nurl = "https://me:${SCRAPE_PASSWORD}@example.org/metrics"\n')
    assert plan.sampling.metrics[0].url == "https://me:geheim@example.org/metrics"
    assert "geheim" not in plan.redacted().model_dump_json()


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    problems = plan_problems(
        tmp_path,
        "",
        STEADY
        + '[metrics.shop]\nurl = "/metrics"\nserie = ["x"]\n'
        + '[metrics.db]\nurl = "oracle://me:geheim@db/x"\n'
        + '[metrics.target]\nurl = "http://127.0.0.1:99999/metrics"\n'
        + '[metrics."a.b"]\nurl = "$NOT_SET_HERE"\nseries = ["3x"]\nratio = {hits = "a"}\n'
        + "[metrics.none]\n",
    )
    assert_found(
        problems, "quick.toml:7: metrics.shop.serie", "unknown-key", {"word": "serie", "alternatives": "series"}
    )
    assert_found(problems, "quick.toml:9: metrics.db.url", "metrics-url-invalid", {"value": "oracle://***@db/x"})
    assert_found(problems, "quick.toml:10: metrics.target", "metrics-name-taken", {"name": "target"})
    assert_found(problems, "quick.toml:11: metrics.target.url", "metrics-url-invalid", {})
    assert_found(problems, "quick.toml:12: metrics.a.b", "metrics-name-invalid", {"name": "a.b"})
    assert_found(problems, "quick.toml:13: metrics.a.b.url", "metrics-variable-unset", {"name": "NOT_SET_HERE"})
    assert_found(problems, "quick.toml:14: metrics.a.b.series", "series-name-invalid", {"value": "3x"})
    assert_found(problems, "quick.toml:15: metrics.a.b.ratio.hits", "ratio-invalid", {"value": "a"})
    assert_found(problems, "quick.toml:16: metrics.none", "key-missing", {"word": "url"})


def test_a_series_needs_a_source(tmp_path: Path) -> None:
    problems = plan_problems(tmp_path, "", STEADY + gate('metric("pool_in_use").max < 3'))
    assert_found(problems, "quick.toml:6: gate[0].require", "series-without-source", {"series": "pool_in_use"})


@pytest.mark.parametrize("tables", ["metrics = 3", "metrics = [1]", "[metrics]\nshop = 3"])
def test_anything_but_a_table_is_rejected(tmp_path: Path, tables: str) -> None:
    problems = plan_problems(tmp_path, "", f"{tables}\n{STEADY}")
    assert [problem.code for problem in problems] == ["metrics-not-tables"]


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("hits / reads", (("hits",), ("reads",))),
        ("hits/(hits+misses)", (("hits",), ("hits", "misses"))),
        ("a{x='1'} / (a{x='1'} + b)", (("a{x='1'}",), ("a{x='1'}", "b"))),
    ],
)
def test_a_ratio_is_a_quotient_of_series(text: str, sides: object) -> None:
    assert ratio_of(text) == sides


@pytest.mark.parametrize("text", ["hits", "hits / ", "a / b / c", "a + b", "(a + b) / c", 3, "1 / 2"])
def test_an_invalid_ratio_is_rejected(text: object) -> None:
    with pytest.raises(InvalidValue) as raised:
        ratio_of(text)
    assert raised.value.code == "ratio-invalid"
