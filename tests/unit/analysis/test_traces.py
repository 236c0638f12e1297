"""What spans say of requests: who counts, how often, for how long, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.analysis.measurement import endpoints_of
from harness.analysis.statements import in_words, statements_of
from harness.analysis.traces import trace_notes, traces_of
from harness.messages import message
from harness.record.endpoint_statements import EndpointStatements
from harness.record.measurement import ALL
from harness.record.notice import Notice
from harness.record.spans import Received, Span, SpanKind, SpanWriter
from harness.record.traced_requests import TracedRequest
from harness.recording import open_recording
from harness.recording.run import RunRecording, read_run
from harness.report.waterfalls import waterfalls
from tests.support.plans import steady
from tests.support.recordings import EPOCH_S, SHOP, make_environment, record_run

MS = 1_000_000
LOOP = "SELECT * FROM author WHERE id = ?"


@dataclass
class Made:
    """Traced requests and their spans, made one by one. The clock of the target is ``ahead_ms`` ahead."""

    run: RunRecording
    spans: list[Span] = field(default_factory=list)
    ahead_ms: float = 0.0

    def request(self, at_s: float = 1.0, ms: float = 100.0, endpoint: str = "GET /products") -> TracedRequest:
        """A request without spans yet."""
        number = next(number for number, known in self.run.journal.endpoints.items() if str(known) == endpoint)
        trace = (len(self.run.journal.traced) + 1).to_bytes(16, "little")
        made = TracedRequest(trace, number, 0, at_s, int(1000 * ms), int(1000 * ms), False)
        self.run.journal.traced.append(made)
        return made

    def span(
        self,
        of: TracedRequest,
        kind: SpanKind,
        start_ms: float,
        end_ms: float,
        text: str = "",
        parent: Span | None = None,
        service: str = "books",
    ) -> Span:
        """A span of it, by default right below the harness's own: the first of the target."""
        at_ns = int((EPOCH_S + of.at_s) * 1e9 + self.ahead_ms * MS)
        made = Span(
            trace=of.trace,
            span=(len(self.spans) + 1).to_bytes(8, "big"),
            parent=of.span if parent is None else parent.span,
            start_ns=at_ns + int(start_ms * MS),
            end_ns=at_ns + int(end_ms * MS),
            kind=kind,
            failed=False,
            service=service,
            name=kind,
            text=text,
        )
        self.spans.append(made)
        return made

    def save(self, received: Received = Received()) -> RunRecording:  # noqa: B008  (frozen)
        writer = SpanWriter(self.run.folder.spans)
        writer.write(self.spans)
        writer.close(received)
        return self.run

    def entries(self) -> list[EndpointStatements]:
        run = self.save()
        return statements_of(run, run.phases[0])


@pytest.fixture
def made(tmp_path: Path) -> Made:
    run = open_recording(record_run(tmp_path, phases=[steady(users=5, seconds=20)], endpoints=SHOP, seed=1))
    assert isinstance(run, RunRecording)
    return Made(run)


def test_a_loop_of_statements_is_named_in_words(made: Made) -> None:
    for _ in range(4):
        request = made.request()
        root = made.span(request, "server", 10, 90)
        made.span(request, "database", 11, 12, "SELECT * FROM book", root)
        for number in range(38):
            made.span(request, "database", 13 + number, 13.5 + number, LOOP, root)
    (entry,) = made.entries()
    assert (entry.requests, entry.statements_per_request) == (4, 39)
    (repeated,) = entry.repeated
    assert (repeated.text, repeated.times, repeated.share) == (LOOP, 38, 1.0)
    assert repeated.time_ms == pytest.approx(19)
    assert in_words(entry) == "GET /products: 39 statements, one of them 38 times"
    times = {kind: round(ms, 3) for kind, ms in entry.time_by_kind_ms.items()}
    assert times == {"own": 60, "database": 20, "cache": 0, "downstream": 0, "pool": 0, "outside": 20}


def test_a_statement_that_an_orm_and_its_driver_record_counts_once(made: Made) -> None:
    request = made.request()
    root = made.span(request, "server", 0, 100)
    outer = made.span(request, "database", 10, 40, "SELECT 1", root)
    made.span(request, "database", 12, 38, "SELECT 1", outer)
    (entry,) = made.entries()
    assert entry.statements_per_request == 1
    assert entry.time_by_kind_ms["database"] == pytest.approx(30)


def test_what_a_called_service_does_is_time_downstream(made: Made) -> None:
    request = made.request()
    root = made.span(request, "server", 0, 100)
    made.span(request, "database", 1, 2, "SELECT 1", root)
    call = made.span(request, "downstream", 10, 60, "POST vendor", root)
    theirs = made.span(request, "server", 15, 55, parent=call, service="vendor")
    for number in range(5):
        made.span(request, "database", 20 + number, 21 + number, LOOP, theirs, service="vendor")
    (entry,) = made.entries()
    assert entry.statements_per_request == 1
    assert not entry.repeated
    assert entry.time_by_kind_ms["downstream"] == pytest.approx(50)
    assert entry.time_by_kind_ms["own"] == pytest.approx(49)


def test_statements_at_the_same_time_take_their_time_once(made: Made) -> None:
    request = made.request()
    root = made.span(request, "server", 0, 100)
    for _ in range(3):
        made.span(request, "database", 10, 40, "SELECT 1", root)
    made.span(request, "cache", 30, 60, "GET", root)
    made.span(request, "database", 95, 160, "SELECT late", root)  # goes on after the response
    (entry,) = made.entries()
    assert entry.time_by_kind_ms["database"] == pytest.approx(35)
    assert entry.time_by_kind_ms["own"] == pytest.approx(45)


def test_traces_of_others_incomplete_ones_and_circles_are_left_out(made: Made) -> None:
    whole = made.request()
    made.span(whole, "server", 0, 10)
    orphaned = made.request()
    root = made.span(orphaned, "server", 0, 10)
    lost = made.span(orphaned, "own", 1, 9, parent=root)
    made.span(orphaned, "database", 2, 3, "SELECT 1", lost)
    made.spans.remove(lost)
    made.request()  # no span came
    circle = made.request()
    made.span(circle, "server", 0, 10)
    first = made.span(circle, "own", 1, 2)
    made.spans[-1] = first._replace(parent=first.span)
    stranger = whole._replace(trace=b"x" * 16)
    made.span(stranger, "server", 0, 10)
    made.spans.append(made.spans[0])  # sent twice
    found = traces_of(made.save())
    assert {trace.request.trace for traces in found.values() for trace in traces} == {whole.trace, circle.trace}


def test_a_redirected_request_is_one_and_does_what_both_of_its_parts_do(made: Made) -> None:
    request = made.request()
    for start_ms in (10, 60):
        part = made.span(request, "server", start_ms, start_ms + 30)
        made.span(request, "database", start_ms + 10, start_ms + 20, LOOP, part)
    (entry,) = made.entries()
    assert (entry.requests, entry.statements_per_request) == (1, 2)
    assert entry.time_by_kind_ms["database"] == pytest.approx(20)
    assert entry.time_by_kind_ms["own"] == pytest.approx(60)


def test_a_service_that_sends_its_spans_elsewhere_costs_no_trace(made: Made) -> None:
    request = made.request()
    root = made.span(request, "server", 0, 50)
    made.span(request, "downstream", 10, 40, "POST vendor", root)
    made.span(request, "server", 20, 30, parent=root._replace(span=b"elsewher"), service="bank")
    (entry,) = made.entries()
    assert entry.requests == 1
    assert entry.time_by_kind_ms["downstream"] == pytest.approx(30)


def test_clocks_that_differ_change_no_figure(made: Made) -> None:
    made.ahead_ms = 3_600_000
    request = made.request()
    root = made.span(request, "server", 10, 90)
    made.span(request, "database", 20, 50, LOOP, root)
    (entry,) = made.entries()
    assert entry.time_by_kind_ms["database"] == pytest.approx(30)
    assert entry.time_by_kind_ms["outside"] == pytest.approx(20)
    (fall,) = waterfalls(made.run)["steady"]
    assert fall.clocks_differ
    assert [(row.kind, round(row.start_ms)) for row in fall.rows] == [("server", 10), ("database", 20)]


def test_figures_have_intervals_and_none_without_a_span_that_shows_them(made: Made) -> None:
    for number in range(60):
        request = made.request(at_s=number / 3, endpoint="GET /products" if number % 3 else "POST /cart")
        root = made.span(request, "server", 0, 50)
        for _ in range(5 if number % 3 else 2):
            made.span(request, "database", 10, 20 + number % 7, LOOP, root)
    run = made.save()
    endpoints = endpoints_of(run.phases[0], run)
    queries = {name: endpoints[name].figures["queries_per_request"] for name in (ALL, "GET /products", "POST /cart")}
    assert (queries["GET /products"].value, queries["POST /cart"].value, queries[ALL].value) == (5, 2, 4)
    assert (queries["POST /cart"].low, queries["POST /cart"].high) == (2, 2)
    assert queries[ALL].low < 4
    assert queries[ALL].high is not None
    db_time = endpoints["GET /products"].figures["db_time"]
    assert db_time.high is not None
    assert 10 < db_time.low < db_time.value < db_time.high < 16
    assert "downstream_time" not in endpoints[ALL].figures
    assert "queries_per_request" not in endpoints["POST /checkout"].figures


@pytest.mark.parametrize(
    ("received", "code"),
    [
        (Received(over_limit=7), "spans-over-limit"),
        (Received(invalid=7), "spans-invalid"),
        (Received(refused=7), "exports-refused"),
    ],
)
def test_what_was_not_kept_is_noted(made: Made, received: Received, code: str) -> None:
    request = made.request()
    made.span(request, "database", 2, 3, "SELECT 1", made.span(request, "server", 0, 10))
    assert [note.code for note in trace_notes(made.save(received))] == [code]


def test_a_target_that_shows_nothing_is_noted_with_what_to_do(made: Made) -> None:
    made.request()
    assert [note.code for note in trace_notes(made.save())] == ["spans-missing"]


def test_that_no_spans_came_is_not_noted_where_it_is_known_why(tmp_path: Path) -> None:
    why = Notice.of(message("target-not-instrumented", command="python"))
    machine = make_environment().model_copy(update={"notices": [why]})
    made = Made(read_run(record_run(tmp_path, phases=[steady(users=5, seconds=20)], environment=machine)))
    made.request()
    assert trace_notes(made.save()) == []


def test_a_target_that_shows_only_its_requests_is_noted(made: Made) -> None:
    made.span(made.request(), "server", 0, 10)
    assert [note.code for note in trace_notes(made.save())] == ["spans-without-work"]
    (entry,) = statements_of(made.run, made.run.phases[0])
    assert entry.statements_per_request is None
