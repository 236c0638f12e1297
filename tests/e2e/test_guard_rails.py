"""One run of a scenario and a target that mean harm: nothing leaves this machine, no secret is written anywhere, and
all that the target says is text in every output, as real parsers and a real browser see it.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright

from harness.cli.github import workflow_commands
from harness.record.journal import read_journal
from harness.record.journal_entries import HOST_NOT_ALLOWED
from harness.record.summary import Summary
from harness.report.sections import SECTIONS
from tests.support.command import REPOSITORY, Result, harness, latest_run
from tests.support.hostile_target import HOSTILE
from tests.support.requirements import require_program

SECRET = "hunter2-Xk9Qz"
TENANT = "tenant-7Gh2Lm"

SCENARIO = f"""
import os
import socket
from locust import FastHttpUser, HttpUser as RequestsUser, constant, events, task
from harness import HttpUser, gate, steady
from tests.support.hostile_target import HOSTILE


@events.init_command_line_parser.add_listener
def _(parser):
    parser.add_argument("--my-token")


class Wanderer(HttpUser):
    wait_time = constant(0.05)

    @task
    def everything(self):
        token = self.environment.parsed_options.my_token
        self.client.get("/check", headers={{"Authorization": f"Bearer {{token}}"}}, name="check")
        os.system("echo 'a child of a user prints x-tenant: {TENANT}'")
        print("a user prints its token:", token, "x-tenant: {TENANT}", flush=True)
        for number, text in enumerate(HOSTILE):
            with self.client.get(f"/hostile/{{number}}", name=text, catch_response=True) as answer:
                answer.failure(answer.text)
        self.client.get("/bytes", name="huge " + "y" * 5000)
        with self.client.get("/token?api_key=" + token, catch_response=True) as answer:
            answer.failure(answer.text)
        self.client.get("/away", name="redirected")
        self.client.get("http://192.0.2.1/absolute", name="absolute")
        sock = socket.socket()
        sock.settimeout(5)
        try:
            sock.connect(("192.0.2.1", 80))
        finally:
            sock.close()


class Fast(FastHttpUser):
    wait_time = constant(0.2)

    @task
    def away(self):
        self.client.get("http://192.0.2.1/fast", name="fast")


class Requests(RequestsUser):
    wait_time = constant(0.2)

    @task
    def away(self):
        self.client.get("http://192.0.2.1/requests", name="requests")


phases = [steady(users=6, hold="2s")]
gates = [gate("error_rate < 1%"), *(gate("p95 < 1ms", endpoint=f"GET {{text}}") for text in HOSTILE[:3])]


def verify(target):
    raise AssertionError("the ledger is wrong: password={SECRET} " + HOSTILE[5] + HOSTILE[4] + HOSTILE[0])
"""


@dataclass(frozen=True)
class Ran:
    result: Result
    folder: Path

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    cwd = tmp_path_factory.mktemp("guard")
    (cwd / "scenario.py").write_text(SCENARIO)
    (cwd / "pyproject.toml").write_text('[tool.harness]\nmask = ["x-tenant"]\n')
    python = f"env db_pass={SECRET} {shlex.quote(sys.executable)}"
    target = f"{python} -m tests.support.hostile_target {{port}} --db-password {SECRET}"
    result = harness(
        *("run", "scenario.py", "--target", target, "--ready", "/", "--json", "--workers", "1"),
        *(
            "--set",
            f'target.environment={{API_TOKEN = "{SECRET}", DB_PASS = "two {SECRET}"}}',
            "--set",
            "sampling.memory=false",
        ),
        *("--", "--my-token", SECRET),
        cwd=cwd,
        env={"PYTHONPATH": str(REPOSITORY)},
    )
    return Ran(result, latest_run(cwd))


@pytest.mark.slow
def test_no_secret_is_in_any_file_or_on_the_terminal(ran: Ran) -> None:
    files = [path for path in ran.folder.parent.rglob("*") if path.is_file()]
    assert {"plan.json", "journal", "harness.log", "target.log", "report.html", "store.sqlite"} <= {
        path.name for path in files
    }
    for secret in (SECRET, TENANT):
        assert [path.name for path in files if secret.encode() in path.read_bytes()] == []
        assert secret not in ran.result.out + ran.result.err
    plan = json.loads(ran.read("plan.json"))
    assert plan["arguments"] == ["--my-token", "***"]
    target = plan["targets"][0]["target"]
    assert target["command"].endswith("{port} --db-password ***")
    assert target["environment"] == {"API_TOKEN": "***", "DB_PASS": "***"}
    assert plan["overrides"][0] == 'target.environment={API_TOKEN = "***", DB_PASS = "***"}'
    assert "a user prints its token: *** x-tenant: ***" in ran.read("harness.log")
    assert "a child of a user prints x-tenant: ***" in ran.read("harness.log")
    assert "connecting with password=***, API_TOKEN=***" in ran.read("target.log")


@pytest.mark.slow
def test_workers_and_target_receive_the_secrets(ran: Ran) -> None:
    journal = read_journal(ran.folder / "journal")
    counted = {journal.endpoints[failure.endpoint].name for failure in journal.failures}
    assert "check" not in counted
    assert "check" in {endpoint.name for endpoint in journal.endpoints.values()}


def test_nothing_has_left_this_machine(ran: Ran) -> None:
    summary = ran.result.json()
    refused = {kind["name"] for kind in summary["failures"] if kind["code"] == HOST_NOT_ALLOWED}
    assert refused == {"redirected", "absolute", "fast", "requests"}
    assert any("a task raised host not allowed: 192.0.2.1" in warning for warning in summary["warnings"])


def test_junit_is_well_formed_and_holds_every_gate(ran: Ran) -> None:
    suite = ElementTree.fromstring(ran.read("junit.xml"))
    names = [case.get("name", "") for case in suite.iter("testcase")]
    assert f"p95 < 1ms on GET {HOSTILE[0]}" in names
    assert len(names) == len(ran.result.json()["gates"]) + 1


@pytest.mark.parametrize("name", ["summary.md", "comment.md"])
def test_text_from_the_target_adds_no_markup_to_markdown(ran: Ran, name: str) -> None:
    own = re.compile(r"\A<!-- [\w .-]+ -->\n|\*\*(?=[^\n]{1,20}\*\*: )|(?<=\w)\*\*(?=: )")  # comment.md's first lines
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(own.sub("", ran.read(name)))
    kinds = {token.type for token in tokens} | {child.type for token in tokens for child in token.children or []}
    assert kinds.isdisjoint({"html_block", "html_inline", "image", "link_open", "code_inline", "fence", "strong_open"})
    heads = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    titles = {section.title for section in SECTIONS}
    assert all(head in titles or re.fullmatch(r"\W* ?(fail|broken): .*", head) for head in heads)
    for columns in _tables(tokens):
        assert len(set(columns)) == 1, columns


def _tables(tokens: list[Any]) -> Iterator[list[int]]:
    """Of each table: how many cells each row has."""
    rows: list[int] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append(0)
        elif token.type in ("td_open", "th_open"):
            rows[-1] += 1
        elif token.type == "table_close":
            yield rows
            rows = []


def test_text_from_the_target_does_not_control_the_terminal(ran: Ran) -> None:
    reported = ran.result.err + ran.result.out
    assert "onerror=alert(2)" in reported
    assert re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", reported) == []
    # As CI servers read a job's log.
    assert [line for line in ran.result.err.splitlines() if line.lstrip().startswith("::") or "##[" in line] == []
    for line in workflow_commands(Summary.model_validate_json(ran.read("summary.json"))):
        assert re.fullmatch(r"::(error|warning) title=[^:,\n]*::[^\x00-\x1f\x7f-\x9f]*", line)
    assert "[bold red]rich[/bold red]" in " ".join(ran.result.err.split())


@pytest.mark.slow
def test_the_report_runs_no_script_and_asks_for_nothing(ran: Ran) -> None:
    report = (ran.folder / "report.html").as_uri()
    errors: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require_program("chromium", "chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda output: errors.append(output.text) if output.type in ("error", "warning") else None)
        page.add_init_script("window.alert = (text) => console.error('alert', text)")
        page.on("request", lambda request: asked.append(request.url))
        page.goto(report)
        page.wait_for_selector("html[data-charts=drawn]", state="attached")
        text = page.locator("body").inner_text()
        assert page.locator("img, a[href^='javascript']").count() == 0
        browser.close()
    assert errors == []
    assert set(asked) <= {report, "data:,"}
    assert "onerror=alert(2)" in text
    assert SECRET not in text
