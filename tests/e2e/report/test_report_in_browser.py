"""The report in a real browser, from disk: it draws, responds to clicks and keys, prints, and needs no network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Route, sync_playwright

from harness.analysis.measurement import measure
from harness.control.finalize import write_results
from harness.explain import explained
from harness.gates.judge import judge as judge_recording
from harness.record.measurement import Baseline
from harness.record.profiles import ProfileIndex, read_spans
from harness.record.run_folder import RunFolder, write_text
from harness.recording import open_recording
from harness.recording.run import read_run
from harness.report.contents import read_report
from harness.report.exporters.html import report_html
from tests.support.benches import FINGERPRINT, bench_folder
from tests.support.broken_runs import Broken, slow_between, write_faults
from tests.support.children import wait_until
from tests.support.judged import judge
from tests.support.plans import steady
from tests.support.recordings import Failing, record_run
from tests.support.reported import HOSTILE_FAILURE, draw, rich_run
from tests.support.requirements import require_program
from tests.unit.analysis.test_traces import LOOP, Made
from tests.unit.analysis.test_waits import LOCKED, with_profile

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

CHARTS = [
    *("throughput", "percentiles", "started", "errors-chart", "heatmap", "users", "cpu", "memory", "handles"),
    *("generator", "ranges", "distribution", "curve", "scatter"),
]


@dataclass
class Seen:
    """Errors and requests of a page while it was open."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return rich_run(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = require_program("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


def open_report(browser: Browser, folder: RunFolder, seen: Seen, address: str | None = None, **options: Any) -> Page:
    page = visit(browser, address or folder.report.as_uri(), seen, **options)
    drawn(page)
    return page


def visit(browser: Browser, address: str, seen: Seen, **options: Any) -> Page:
    page = browser.new_context(**options).new_page()

    def console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            seen.errors.append(message.text)

    def opened(dialog: Dialog) -> None:
        seen.errors.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def requested(route: Route) -> None:
        seen.requests.append(route.request.url)
        route.continue_()

    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("console", console)
    page.on("dialog", opened)
    page.context.route("**/*", requested)
    page.goto(address)
    return page


def drawn(page: Page) -> None:
    page.wait_for_selector("html[data-charts=drawn]", state="attached")


def until(page: Page, condition: str) -> None:
    """Wait for a condition in JavaScript; ``wait_for_function`` needs ``eval``, which the page forbids."""
    wait_until(lambda: page.evaluate(condition), what=condition)


@pytest.fixture(scope="module")
def opened(browser: Browser, folder: RunFolder) -> Iterator[tuple[Page, Seen]]:
    seen = Seen()
    page = open_report(browser, folder, seen, viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield page, seen
    page.context.close()


@pytest.fixture
def page(opened: tuple[Page, Seen]) -> Page:
    return opened[0]


def points(page: Page, chart: str, trace: int = 0) -> list[float | None]:
    values: list[float | None] = page.evaluate(f"Array.from(document.getElementById('{chart}').data[{trace}].y)")
    return values


@pytest.mark.slow
def test_it_opens_from_disk_without_errors_and_without_the_network(
    opened: tuple[Page, Seen], folder: RunFolder
) -> None:
    page, seen = opened
    assert seen.errors == []
    assert set(seen.requests) <= {folder.report.as_uri(), "data:,"}
    assert page.title().startswith("fail: flash_sale")


@pytest.mark.slow
def test_a_script_that_got_into_the_page_neither_runs_nor_reaches_the_network(
    browser: Browser, folder: RunFolder, tmp_path: Path
) -> None:
    foreign = (
        "<script>document.title = 'foreign'</script><img src='data:,' onerror=\"document.title = 'foreign'\">"
        "<img src='http://127.0.0.1:9/image'><link rel='stylesheet' href='http://127.0.0.1:9/style'>"
        "<form id='sent' action='http://127.0.0.1:9/form'></form>"
    )
    text = folder.report.read_text("utf-8").replace("</main>", f"{foreign}</main>")
    opened = tmp_path / "report.html"
    opened.write_text(re.sub('(id="plotly-source">)[^<]*', r"\1", text))  # charts take two thirds of the time
    seen = Seen()
    page = visit(browser, opened.as_uri(), seen)
    reached = page.evaluate("fetch('http://127.0.0.1:9/fetch').then(() => true, () => false)")
    page.evaluate("document.getElementById('sent').submit()")
    assert not reached
    assert "foreign" not in page.title()
    assert not [url for url in seen.requests if url.startswith("http")]
    page.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_is_drawn(page: Page, chart: str) -> None:
    marks = page.locator(f"#{chart} .plot-container :is(.trace, .hm, .point, .bars, .scatterlayer path)")
    assert marks.count() > 0


def test_phases_are_named_and_shaded(page: Page) -> None:
    names = page.locator("#throughput .annotation-text").all_text_contents()
    assert names[:3] == ["ramp", "steady", "stress"]
    assert page.locator("#throughput .layer-below .shapelayer path").count() == 4


@pytest.mark.slow
def test_another_endpoint_changes_all_charts(page: Page) -> None:
    before = {chart: points(page, chart) for chart in ("throughput", "percentiles", "ranges")}
    page.select_option("#endpoint", label="POST /checkout")
    drawn(page)
    try:
        assert page.input_value("#distribution-endpoint") == page.input_value("#endpoint")
        for chart, values in before.items():
            assert points(page, chart) != values
    finally:
        page.select_option("#endpoint", value="0")
        drawn(page)


def test_another_phase_changes_the_response_times(page: Page) -> None:
    before = sum(value or 0 for value in points(page, "ranges"))
    page.select_option("#distribution-phase", label="steady")
    drawn(page)
    assert 0 < sum(value or 0 for value in points(page, "ranges")) < before
    page.select_option("#distribution-phase", value="measured")
    drawn(page)


@pytest.mark.slow
def test_zooming_one_chart_in_time_zooms_all_and_a_double_click_shows_the_whole_run(page: Page) -> None:
    def ranges() -> list[list[float]]:
        drawn(page)
        found: list[list[float]] = page.evaluate(
            "['throughput', 'cpu'].map((id) => document.getElementById(id).layout.xaxis.range)"
        )
        return found

    whole = ranges()
    drag(page, "throughput", 0.2, 0.6)
    until(page, "document.getElementById('cpu').layout.xaxis.range[0] > 2")
    zoomed = ranges()
    assert zoomed[0] == zoomed[1]
    assert page.locator(".plotly-notifier .notifier-note").count() == 0  # it would cover the navigation
    page.locator("#throughput .nsewdrag").first.dblclick()
    until(page, "document.getElementById('cpu').layout.xaxis.range[0] === 0")
    assert ranges() == whole


def test_the_crosshair_of_one_chart_is_at_the_same_time_in_all(page: Page) -> None:
    plot = page.locator("#cpu .nsewdrag").first
    plot.scroll_into_view_if_needed()
    plot.hover(position={"x": 100, "y": 50})
    lines = page.locator(".crosshair:visible")
    zoomable = "(node) => node.checkVisibility() && node.layout?.xaxis.fixedrange === false"
    timed = page.evaluate(f"[...document.querySelectorAll('[data-chart]')].filter({zoomable}).length")
    assert lines.count() == timed > 9
    assert len({line.evaluate("line => line.style.left") for line in lines.all()}) == 1
    page.locator("#gates").hover()
    assert lines.count() == 0


@pytest.mark.slow
def test_an_endpoint_has_a_section_of_its_own(page: Page) -> None:
    row = page.locator("#endpoint-table tbody:not([hidden]) tr", has_text="/checkout")
    figures = row.locator("td").all_inner_texts()[1:]
    section = page.locator("#endpoint-section")
    assert section.is_hidden()
    row.locator("button").click()
    drawn(page)
    assert section.locator("h2 span").inner_text() == "POST /checkout"
    rows = section.locator("#endpoint-phases tbody tr")
    phases = [rows.nth(place).locator("td").all_inner_texts() for place in range(rows.count())]
    assert [phase[0] for phase in phases] == ["ramp", "steady", "stress", "diagnose"]
    assert phases[1][1:] == figures
    assert section.locator("#endpoint-changes tbody tr").count() > 0
    assert points(page, "endpoint-percentiles", 2) == points(page, "percentiles", 2)
    assert "endpoint=POST+%2Fcheckout" in page.url
    section.locator("#endpoint-close").click()
    drawn(page)
    assert section.is_hidden()


def test_a_line_can_be_switched_off(page: Page) -> None:
    button = page.locator("#figure-percentiles .legend button", has_text="max")
    button.click()
    trace = "document.getElementById('percentiles').data.find(({ name }) => name === 'max')"
    assert page.evaluate(f"{trace}.visible") is False
    button.click()
    assert page.evaluate(f"{trace}.visible") is True


def test_hostile_texts_are_shown_as_they_are(page: Page) -> None:
    options = page.locator("#endpoint option").all_inner_texts()
    assert any("</script><script>alert(1)</script>" in option for option in options)
    assert "<img src=x onerror=alert(2)>" in page.locator("#errors").inner_text()
    assert "<img" in page.locator("#figure-errors-chart .legend").inner_text()
    assert page.locator("img").count() == 0
    assert "\x1b" in HOSTILE_FAILURE
    assert "\x1b" not in page.content()


def test_the_endpoint_table_sorts_and_changes_its_phase(page: Page) -> None:
    table = page.locator("#endpoint-table")
    counts = table.locator("tbody:not([hidden]) tr:not(.all) td:nth-child(2)")

    def numbers() -> list[int]:
        return [int(text.replace(",", "")) for text in counts.all_inner_texts()]

    head = table.locator("th", has_text="Requests")
    head.click()
    assert numbers() == sorted(numbers(), reverse=True)
    head.press("Enter")
    assert numbers() == sorted(numbers())
    before = numbers()
    page.select_option("#endpoint-phase", label="ramp")
    assert numbers() != before
    page.select_option("#endpoint-phase", label="steady")


def test_the_baseline_table_shows_only_what_has_changed(page: Page) -> None:
    rows = page.locator("#baseline-table tbody:not([hidden]) tr[data-meaning]:not([hidden])")
    every = rows.count()
    page.check("#baseline-changed")
    assert 0 < rows.count() < every
    assert "no clear change" not in rows.all_inner_texts()
    page.uncheck("#baseline-changed")


def test_a_long_table_says_how_many_rows_it_has_and_shows_all(page: Page) -> None:
    box = page.locator(".scroll:has(> #baseline-table)")
    rows = page.locator("#baseline-table tbody:not([hidden]) tr[data-meaning]")
    assert box.evaluate("box => box.scrollHeight > box.clientHeight")
    more = page.locator(".scroll:has(> #baseline-table) + .more")
    assert str(rows.count()) in more.inner_text()
    more.click()
    assert box.evaluate("box => box.scrollHeight <= box.clientHeight")
    assert more.count() == 0


def test_error_samples_unfold(page: Page) -> None:
    details = page.locator("#errors details").first
    details.locator("summary").click()
    assert "status" in details.inner_text()


def graph(page: Page) -> Any:
    return page.locator("#flame-cpu")


def test_the_flame_graph_zooms_and_finds_its_way_back(page: Page) -> None:
    flame = graph(page)
    every = flame.locator(".frame").count()
    flame.locator(".frame", has_text="list_products").first.click()
    assert flame.locator(".frame.above").count() == 3
    assert flame.locator(".frame").count() < every
    assert "list_products" in flame.locator(".flame-path").inner_text()
    flame.locator(".flame-path button", has_text="Reset").click()
    assert flame.locator(".frame").count() == every


def test_the_flame_graph_searches_and_says_how_much_matches(page: Page) -> None:
    flame = graph(page)
    flame.locator(".flame-search").fill("SLOW_search")
    assert flame.locator(".frame.match").all_inner_texts() == ["slow_search (shop/defects.py)"]
    # 900 of 1,700 samples.
    assert "52.9 % matched" in flame.locator(".flame-path").inner_text()
    flame.locator(".flame-search").fill("")
    assert flame.locator(".frame.match").count() == 0


def test_the_flame_graph_responds_to_keys(page: Page) -> None:
    flame = graph(page)
    flame.locator(".frame[tabindex='0']").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    assert "search (shop/app.py" in (page.evaluate("document.activeElement.getAttribute('aria-label')") or "")
    page.keyboard.press("ArrowLeft")
    assert "list_products" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("Enter")
    assert flame.locator(".frame.above").count() == 3
    page.keyboard.press("Escape")
    assert flame.locator(".frame.above").count() == 0


def test_the_flame_graphs_tooltip_shows_location_samples_and_baseline(page: Page) -> None:
    frame = graph(page).locator(".frame", has_text="slow_search").first
    frame.scroll_into_view_if_needed()
    frame.hover()
    tip = page.locator(".flame-tip:not([hidden])")
    text = tip.inner_text()
    assert "slow_search (shop/defects.py:42)" in text
    assert "900 samples · 52.9 % of all" in text
    assert "in the baseline" in text


def test_what_grew_is_coloured_by_difference(page: Page) -> None:
    flame = graph(page)
    frame = flame.locator(".frame", has_text="slow_search").first
    assert flame.locator(".flame-versus").input_value() == "baseline"
    grown = frame.evaluate("node => node.style.background")
    flame.locator(".flame-versus").select_option("nothing")
    assert frame.evaluate("node => node.style.background") != grown
    page.evaluate("selection.set({versus: ''})")
    assert frame.evaluate("node => node.style.background") == grown


def test_functions_that_changed_are_listed_with_the_costs_of_both_sides(page: Page) -> None:
    flame = graph(page)
    flame.locator(".flame-changes summary").click()
    cells = flame.locator(".flame-changes tbody tr").first.locator("td")
    cells.first.wait_for()
    first = cells.all_inner_texts()
    assert first[0] == "slow_search (shop/defects.py)"
    before_ms, now_ms = (float(text.removesuffix(" ms")) for text in first[1:3])
    assert now_ms > 10 * before_ms
    assert first[6:] == ["2.44 %", "52.9 %"]  # 20 of 820 samples, 900 of 1,700
    flame.locator(".flame-changes summary").click()


@pytest.mark.slow
def test_a_suspect_leads_to_its_frame_beside_the_baseline(page: Page) -> None:
    """Its share is larger still in another phase, without a baseline."""
    page.select_option("#flame-cpu .flame-profile", label="stress")
    page.locator("#suspects button", has_text="slow_search").click()
    assert graph(page).locator(".frame.match").count() == 1
    assert graph(page).locator(".flame-profile option:checked").inner_text() == "steady"
    assert graph(page).locator(".flame-versus").input_value() == "baseline"
    graph(page).locator(".flame-search").fill("")
    page.evaluate("selection.set({phase: ''})")
    drawn(page)


def drag(page: Page, chart: str, start: float, end: float) -> None:
    """Drag from one share of the chart's width to another."""
    plot = page.locator(f"#{chart} .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=4)
    page.mouse.up()


def samples_in(folder: RunFolder, phase: int, span: tuple[float, float]) -> int:
    """The samples of a phase that its files have from the spans that lie in ``span`` at least by half."""
    (profile,) = (profile for profile in ProfileIndex.load(folder.profiles).profiles if profile.phase == phase)
    start_s = read_run(folder).phases[phase].start_s
    assert profile.spans_path is not None
    inside = []
    for number, part in enumerate(profile.spans):
        begin, end = start_s + part.offset_s, start_s + part.offset_s + part.duration_s
        if min(end, span[1]) - max(begin, span[0]) >= part.duration_s / 2:
            inside.append(number)
    return sum(
        found.stack.weight for found in read_spans(folder.path / profile.spans_path, profile) if found.span in inside
    )


def total(page: Page) -> int:
    """How many samples the CPU flame graph shows."""
    return int(graph(page).locator(".flame-path").inner_text().split()[1].replace(",", ""))


@pytest.mark.slow
def test_brushing_a_span_of_the_timeline_shows_the_samples_of_that_span(page: Page, folder: RunFolder) -> None:
    whole = total(page)
    drag(page, "cpu", 0.3, 0.6)
    until(page, "selection.span !== null")
    drawn(page)
    span = page.evaluate("selection.span")
    assert 0 < total(page) == samples_in(folder, 1, span) < whole
    assert graph(page).locator(".flame-versus").input_value() == "rest"
    page.locator("#selected button", has_text=" s ").click()
    drawn(page)
    assert total(page) == whole


@pytest.mark.slow
def test_brushing_another_phase_shows_the_samples_of_that_phase(page: Page, folder: RunFolder) -> None:
    page.select_option("#flame-cpu .flame-profile", label="steady")
    whole, shown = total(page), graph(page).locator(".flame-profile option:checked")
    drag(page, "cpu", 0.66, 0.86)
    until(page, "selection.span !== null")
    drawn(page)
    assert shown.inner_text() == "stress"
    assert 0 < total(page) == samples_in(folder, 2, page.evaluate("selection.span"))
    page.evaluate("selection.set({span: [0, 25]})")
    drawn(page)
    assert (shown.inner_text(), total(page)) == ("steady", whole)
    assert "not sampled" not in graph(page).locator(".flame-about").inner_text()
    page.evaluate("selection.set({span: null})")
    drawn(page)


def test_the_navigation_marks_the_section_that_was_chosen(page: Page) -> None:
    page.evaluate("selection.set({phase: 'steady'})")  # its bar covers what is below the navigation
    for section in ("Suspects", "Endpoints"):
        page.locator(".bar nav a", has_text=section).click()
        until(page, f"document.querySelector('nav [aria-current]')?.textContent === '{section}'")


def test_memory_is_shown_in_bytes(page: Page) -> None:
    assert "6.00 MB" in page.locator("#flame-memory .flame-path").inner_text()


@pytest.mark.slow
def test_dark_and_light_reach_page_and_charts(page: Page) -> None:
    def colours() -> list[str]:
        found: list[str] = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, document.getElementById('cpu').layout.font.color]"
        )
        return found

    light = colours()
    page.click("#theme")
    drawn(page)
    dark = colours()
    assert dark[0] != light[0]
    assert dark[1] != light[1]
    page.click("#theme")
    drawn(page)
    assert colours() == light


@pytest.fixture(scope="module")
def selected(opened: tuple[Page, Seen]) -> tuple[str, int]:
    """The address of a page with something selected, and how many samples its flame graph shows."""
    page, _ = opened
    page.select_option("#endpoint", label="POST /checkout")
    page.select_option("#flame-cpu .flame-profile", label="ramp")
    page.evaluate("selection.set({span: [1, 3]})")
    drawn(page)
    address, shown = page.url, total(page)
    page.evaluate("selection.set({endpoint: '', phase: '', span: null})")
    drawn(page)
    assert "=" not in page.url
    return address, shown


@pytest.fixture(scope="module")
def dark(browser: Browser, folder: RunFolder, selected: tuple[str, int]) -> Iterator[tuple[Page, Seen]]:
    """That page where the system is dark, on a phone."""
    seen = Seen()
    size = {"width": 390, "height": 844}
    page = open_report(browser, folder, seen, selected[0], viewport=size, color_scheme="dark")
    yield page, seen
    page.context.close()


@pytest.mark.slow
def test_the_address_keeps_what_is_selected(
    dark: tuple[Page, Seen], selected: tuple[str, int], folder: RunFolder
) -> None:
    page, _ = dark
    for select in ("#endpoint", "#distribution-endpoint"):
        assert page.locator(f"{select} option:checked").inner_text() == "POST /checkout"
    for select in ("#endpoint-phase", "#distribution-phase", "#flame-cpu .flame-profile"):
        assert page.locator(f"{select} option:checked").inner_text() == "ramp"
    assert page.evaluate("document.getElementById('cpu').layout.xaxis.range") == [1, 3]
    assert 0 < total(page) == selected[1] == samples_in(folder, 0, (1, 3))


@pytest.mark.slow
def test_it_starts_dark_where_the_system_is_dark_and_fits_a_phone(dark: tuple[Page, Seen]) -> None:
    page, seen = dark
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 22)"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#gates thead").is_hidden()
    for table in ("#gates table", "#baseline-table"):
        assert page.locator(f"{table} td[data-label]:visible").count() > 0
        right = (
            "table => Math.max(...[...table.querySelectorAll('td')].map((cell) => cell.getBoundingClientRect().right))"
        )
        assert page.locator(table).evaluate(right) <= 390
    assert seen.errors == []


@pytest.mark.slow
def test_it_prints_light_and_whole(dark: tuple[Page, Seen], tmp_path: Path) -> None:
    page, seen = dark
    paper = tmp_path / "report.pdf"
    page.evaluate(
        """() => addEventListener("beforeprint", () => {
             const plots = [...document.querySelectorAll("[data-chart]")].filter((plot) => plot.checkVisibility());
             const narrow = plots.every((plot) => plot.layout.width === 345);
             window.printed = [document.documentElement.dataset.theme, narrow];
           })"""
    )
    page.pdf(path=paper, format="A4")
    assert page.evaluate("window.printed") == ["light", True]
    assert paper.read_bytes().count(b"/Type /Page\n") > 3
    page.emulate_media(media="print")
    assert page.locator("header.top").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.documentElement.dataset.theme") == "auto"
    page.emulate_media(media="screen")
    assert seen.errors == []


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Of more benchmarks than a chart has rows for, one of them with a name that means harm."""
    names = [*(f"test_page[{n}]" for n in range(59)), "test_x[<img src=x onerror=alert(1)>]"]
    rounds = {f"micro/test_x.py::{name}": [1e-6 * (place + 1)] * 9 for place, name in enumerate(names)}
    before = bench_folder(tmp_path_factory.mktemp("before"), rounds)
    write_results(before, judge(before))
    kept = Baseline(scenario="shop", profile="bench", fingerprint=FINGERPRINT, runs=[measure(open_recording(before))])
    folder = bench_folder(tmp_path_factory.mktemp("bench"), rounds, baseline=kept)
    write_results(folder, judge(folder))
    return folder


@pytest.mark.slow
def test_the_page_of_a_large_bench_is_drawn_within_its_boxes(browser: Browser, bench: RunFolder) -> None:
    seen = Seen()
    page = open_report(browser, bench, seen, viewport={"width": 1280, "height": 900})
    for chart in ("all", "changes"):
        assert len(points(page, chart)) == page.locator(f"#{chart} .yaxislayer-above .ytick").count() == 50
        inside = "id => document.getElementById(id).scrollHeight <= document.getElementById(id).offsetHeight"
        assert page.evaluate(inside, chart)
    assert "test_page[9]" not in page.evaluate("Array.from(document.getElementById('all').data[0].y)")  # a quick one
    first = points(page, "order")
    page.select_option("#benchmark", index=59)
    assert points(page, "order") != first
    page.set_viewport_size({"width": 390, "height": 900})
    until(page, "document.documentElement.scrollWidth <= 390")
    assert seen.errors == []
    page.context.close()


def cells(page: Page, table: str) -> list[list[str]]:
    rows = page.locator(f"{table} tbody tr")
    return [rows.nth(place).locator("td").all_inner_texts() for place in range(rows.count())]


@pytest.mark.slow
def test_waits_and_statements_of_a_span_are_compared_with_the_rest_of_the_phase(
    browser: Browser, tmp_path: Path
) -> None:
    """From 5 to 10 s, threads wait five times as often, and each request has a loop of statements."""
    folder = record_run(tmp_path, phases=[steady(rate=50, seconds=20)], gates=["p95 < 1ms"], lead_in_s=0.0)
    with_profile(folder, "waits", {LOCKED: [10, 50, 10, 10]})
    made = Made(read_run(folder))
    for second in range(20):
        request = made.request(at_s=second + 0.5)
        root = made.span(request, "server", 0, 90)
        for number in range(38 if 5 <= second < 10 else 2):
            made.span(request, "database", number, number + 0.5, LOOP, root)
    run = made.save()
    write_text(folder.summary, explained(run, judge_recording(run)).to_json())
    write_text(folder.report, report_html(read_report(folder, run)))

    seen = Seen()
    page = open_report(browser, folder, seen, viewport={"width": 1280, "height": 900})
    until(page, "document.querySelector('#waits td') !== null")
    ((phase, what, place, threads, _),) = cells(page, "#waits")
    assert (phase, what, place, threads) == ("steady", "a lock", "get_stock (shop/db.py:31)", "0.8")
    assert page.locator("#span-statements").is_hidden()
    for _ in range(2):
        page.evaluate("scrollTo(0, 0)")
        page.locator("#causes a[href='#waits?phase=steady']").first.click()
        until(page, "scrollY > 0 && selection.phase === 'steady'")
    page.evaluate("selection.set({span: [5, 10]})")
    ((_, _, _, threads, per_request, threads_in_rest, per_request_in_rest),) = cells(page, "#waits")
    assert (threads, threads_in_rest) == ("2", "0.4")
    assert float(per_request.split()[0]) == pytest.approx(5 * float(per_request_in_rest.split()[0]), rel=0.2)
    (statements,) = cells(page, "#span-statements")
    assert statements[:7] == ["steady", "GET /products", "5", "38", "2", "19 ms", "1 ms"]
    assert statements[7] == f"38 × {LOOP}"
    assert seen.errors == []
    page.context.close()


@pytest.mark.slow
def test_faults_are_shaded_and_named_in_every_chart_over_time(browser: Browser, tmp_path: Path) -> None:
    name = "db <script>alert(3)</script> slow"
    found = record_run(
        tmp_path,
        phases=[steady(rate=100, seconds=30)],
        lead_in_s=0.0,
        latency=slow_between((10, 16)),
        failures=[Failing(0.01)],
    )
    folder = draw(write_faults(found, Broken(name, 10.0, 15.0), Broken("restart", 20.0, 20.0, kind="process")))
    seen = Seen()
    page = open_report(browser, folder, seen, viewport={"width": 1280, "height": 900})
    for chart in ("throughput", "percentiles", "started", "errors-chart", "heatmap", "cpu", "generator"):
        page.locator(f"#{chart}").scroll_into_view_if_needed()
        drawn(page)
        node = f"document.getElementById('{chart}')"
        shapes = page.evaluate(f"{node}.layout.shapes.map((shape) => [shape.x0, shape.x1])")
        assert [10, 15] in shapes, chart
        assert [20, 20] in shapes
        texts = page.evaluate(f"{node}.layout.annotations.map((annotation) => annotation.hovertext)")
        assert any("script" in text for text in texts)
        assert "restart" in texts
    assert page.locator("#faults tbody tr").count() == 2
    assert seen.errors == []
    page.context.close()
