"""The function whose cost grew is named, the most specific one, and nothing is when nothing changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from harness.analysis.attribution import attribution_of
from harness.analysis.functions import Frame, functions_of, parse_frame
from harness.analysis.measurement import measure
from harness.analysis.profiles import phase_profile
from harness.metrics.formatting import Amount
from harness.plan.model.phase import Phase
from harness.record.changes import Suspect
from harness.record.measurement import ALL, Baseline, FunctionSamples, Measurement
from harness.record.profiles import Profile, ProfileIndex, Stack, write_folded
from harness.record.run_folder import RunFolder, write_json
from harness.recording import open_recording
from harness.recording.run import read_run
from tests.support.judged import judge
from tests.support.plans import ramp, steady, stress
from tests.support.recordings import Profiles, record_run

ROOT = ("main (shop/__main__.py:12)", "run (uvicorn/server.py:60)")
LIST = (*ROOT, "list_products (shop/app.py:80)")
SEARCH = (*ROOT, "search (shop/app.py:120)")
DATABASE = ("execute (sqlalchemy/engine/base.py:1400)", "do_execute (sqlalchemy/engine/default.py:900)")

USUAL = {
    ROOT: 300,
    (*LIST, *DATABASE): 900,
    (*LIST, "serialize (shop/app.py:30)"): 500,
    (*SEARCH, *DATABASE): 400,
    (*SEARCH, "serialize (shop/app.py:30)"): 100,
    (*ROOT, "checkout (shop/app.py:140)", *DATABASE): 300,
}
PHASES = [ramp(seconds=5), steady(seconds=30)]


def stacks(changed: dict[tuple[str, ...], int] | None = None, *, scale: float = 1.0, seed: int = 0) -> list[Stack]:
    """The usual profile with some stacks replaced, as a sampler would see it: with random counts."""
    rng = np.random.default_rng(seed)
    weights = {frames: weight * scale for frames, weight in ({**USUAL, **(changed or {})}).items()}
    return [Stack(frames, int(rng.poisson(weight))) for frames, weight in weights.items()]


def run_of(
    parent: Path, run_id: str, profile: Sequence[Stack], *, phases: Sequence[Phase] = PHASES, users: float = 4.0
) -> RunFolder:
    return record_run(
        parent,
        run_id=run_id,
        phases=phases,
        endpoints={"GET /products": 1.0},
        requests_per_user_s=users,
        profiles=Profiles(cpu={phase.name: profile for phase in phases if phase.kind != "ramp"}),
    )


@cache
def earlier(number: int, phases: tuple[Phase, ...]) -> Measurement:
    """A run of the usual profile, measured; the same for all tests."""
    with TemporaryDirectory() as folder:
        run = run_of(Path(folder), f"before-{number}", stacks(seed=number + 1), phases=phases)
        return measure(open_recording(run))


def suspects(
    tmp_path: Path,
    profile: Sequence[Stack],
    *,
    baselines: int = 1,
    phases: Sequence[Phase] = PHASES,
    now: Sequence[Phase] | None = None,
    before: Sequence[Stack] | None = None,
    **more: float,
) -> list[Suspect]:
    folder = run_of(tmp_path, "now", profile, phases=now or phases, **more)
    kept = [earlier(number, tuple(phases)) for number in range(baselines)]
    if before is not None:
        kept = [measure(open_recording(run_of(tmp_path, "before", before, phases=phases)))]
    if kept:
        baseline = Baseline(scenario="flash_sale", profile="default", fingerprint="f1e2d3c4", runs=kept)
        write_json(folder.comparison, baseline.model_dump(by_alias=True))
    return attribution_of(read_run(folder)).suspects


@pytest.mark.parametrize("baselines", [1, 3])
def test_a_new_function_is_named_with_those_that_call_it(tmp_path: Path, baselines: int) -> None:
    slow = (*SEARCH, "rank_by_edit_distance (shop/defective.py:30)", "_edit_distance (shop/defective.py:41)")
    found = suspects(tmp_path, stacks({slow: 3000}), baselines=baselines)
    (suspect,) = found
    assert (suspect.function, suspect.file, suspect.line) == ("_edit_distance", "shop/defective.py", 41)
    assert suspect.callers[:2] == ["rank_by_edit_distance (shop/defective.py)", "search (shop/app.py)"]
    assert suspect.share_baseline == suspect.cpu_ms_baseline == 0
    assert suspect.change == suspect.share_run
    assert suspect.cpu_ms_growth is not None
    assert 0 < suspect.cpu_ms_growth[0] < suspect.cpu_ms_run < suspect.cpu_ms_growth[1]
    assert suspect.share_run == pytest.approx(3000 / 5500, abs=0.03)
    requests = judge(RunFolder(tmp_path / "now")).phases[1].requests
    assert suspect.cpu_ms_run == pytest.approx(1000 * 3000 / 100 / requests, rel=0.1)


def test_of_a_long_chain_of_callers_the_nearest_are_named(tmp_path: Path) -> None:
    chain = [f"{name} (shop/defective.py:{line})" for line, name in enumerate("abcd", start=1)]
    slow = (*SEARCH, *chain, "reduce (functools.py:9)", "_edit_distance (shop/defective.py:41)")
    (suspect,) = suspects(tmp_path, stacks({slow: 3000}))
    assert suspect.callers == [f"{name} (shop/defective.py)" for name in "dcb"]


def test_what_a_new_function_calls_more_often_is_not_blamed_in_its_place(tmp_path: Path) -> None:
    """``execute`` was there before and others call it too: the news is who calls it so often."""
    more = (*LIST, "read_item_by_item (shop/defective.py:50)", *DATABASE)
    for seed in range(5):
        (suspect,) = suspects(tmp_path / str(seed), stacks({more: 8000}, seed=seed))
        assert suspect.function == "read_item_by_item"


def test_the_standard_library_is_not_blamed(tmp_path: Path) -> None:
    slow = (*LIST, "render_in_pure_python (shop/defective.py:136)", "iterencode (json/encoder.py:200)")
    (suspect,) = suspects(tmp_path, stacks({slow: 2500}))
    assert suspect.function == "render_in_pure_python"


def test_a_library_apart_from_the_targets_own_code_is_no_more_than_likely_to_have_grown(tmp_path: Path) -> None:
    """What a send costs in the kernel depends on the machine. Only a library function that is new shows a new build."""
    send = (*ROOT, "send (uvicorn/protocol.py:524)")
    before = run_of(tmp_path, "before", stacks({send: 150}))
    now = run_of(tmp_path, "now", stacks({send: 450, (*ROOT, "compress (gzip_middleware/app.py:9)"): 400}, seed=1))
    runs = [measure(open_recording(before))]
    baseline = Baseline(scenario="flash_sale", profile="default", fingerprint="f1e2d3c4", runs=runs)
    write_json(now.comparison, baseline.model_dump(by_alias=True))
    found = attribution_of(read_run(now))
    assert [suspect.function for suspect in found.suspects] == ["compress"]
    assert [suspect.function for suspect in found.candidates] == ["send"]


def test_two_causes_are_both_named_the_greater_first(tmp_path: Path) -> None:
    first, second = (*SEARCH, "rank (shop/rank.py:3)"), (*LIST, "copy_all (shop/copying.py:9)")
    found = suspects(tmp_path, stacks({first: 1500, second: 3000}))
    assert [suspect.function for suspect in found] == ["copy_all", "rank"]


def test_a_caller_that_grew_a_little_more_by_chance_is_not_named_for_its_callee(tmp_path: Path) -> None:
    rank = (*SEARCH, "rank (shop/rank.py:3)")
    usual = {**USUAL, (*SEARCH, *DATABASE): 455}  # by chance: 400
    grown = [Stack(frames, weight) for frames, weight in {**usual, rank: 170}.items()]
    assert [suspect.function for suspect in suspects(tmp_path, grown)] == ["rank"]


def test_a_callee_is_named_though_its_caller_is_mostly_called_from_deeper_down(tmp_path: Path) -> None:
    deep = (*LIST, *(f"step_{number} (shop/steps.py:{number})" for number in range(9)), "pick (shop/rank.py:1)")
    shallow = (*ROOT, "pick (shop/rank.py:1)", "mask (shop/rank.py:9)")
    found = suspects(tmp_path, stacks({deep: 300, (*deep, "mask (shop/rank.py:9)"): 300, shallow: 1500}))
    assert found[0].function == "mask"


def test_functions_that_are_hardly_ever_sampled_hide_no_growth(tmp_path: Path) -> None:
    rare = [(before, now) for before in range(1, 13) for now in range(1, 13) if abs(before - now) <= 3]
    sides = []
    for side, serialize in enumerate((500, 620)):
        often = {**USUAL, (*LIST, "serialize (shop/app.py:30)"): serialize}
        seen = [Stack(frames, 4 * weight) for frames, weight in often.items()]
        seen += [Stack((*ROOT, f"rare_{at} (shop/rare.py:1)"), weights[side]) for at, weights in enumerate(rare)]
        sides.append(seen)
    found = suspects(tmp_path, sides[1], before=sides[0])
    assert [suspect.function for suspect in found] == ["serialize"]


def test_a_function_that_got_slower_is_named_by_itself(tmp_path: Path) -> None:
    (suspect,) = suspects(tmp_path, stacks({(*LIST, "serialize (shop/app.py:33)"): 2500}))
    assert (suspect.function, suspect.line) == ("serialize", 33)
    assert suspect.share_baseline == pytest.approx(600 / 2500, abs=0.03)


@pytest.mark.parametrize("seed", range(5, 15))
def test_chance_makes_no_suspect(tmp_path: Path, seed: int) -> None:
    assert suspects(tmp_path, stacks(seed=seed)) == []


def test_a_slower_machine_makes_no_suspect(tmp_path: Path) -> None:
    assert suspects(tmp_path, stacks(scale=1.4, seed=9)) == []


def test_twice_the_requests_make_no_suspect(tmp_path: Path) -> None:
    assert suspects(tmp_path, stacks(scale=2, seed=9), users=8.0) == []


@pytest.mark.parametrize("rate_hz", [20.0, 100.0])
def test_a_function_that_costs_two_and_a_half_times_as_much_is_named(tmp_path: Path, rate_hz: float) -> None:
    """12 s of CPU time in 30 s, of which the function took 1.5: at 20 samples a second 30 of 240."""
    phases = [steady(seconds=30)]
    slow = (*SEARCH, "rank (shop/rank.py:3)")

    def profile(run_id: str, rank_s: float, seed: int) -> RunFolder:
        rng = np.random.default_rng(seed)
        seconds = {(*LIST, *DATABASE): 5.0, (*LIST, "serialize (shop/app.py:30)"): 5.5, slow: rank_s}
        cpu = [Stack(frames, int(rng.poisson(rate_hz * spent_s))) for frames, spent_s in seconds.items()]
        profiles = Profiles(cpu={"steady": cpu}, rates_hz={"steady": rate_hz})
        return record_run(tmp_path, run_id=run_id, phases=phases, requests_per_user_s=4.0, profiles=profiles)

    before = profile("before", 1.5, 1)
    kept = Baseline(
        scenario="flash_sale", profile="default", fingerprint="f1e2d3c4", runs=[measure(open_recording(before))]
    )
    for run_id, rank_s, named in (("same", 1.5, []), ("now", 3.75, ["rank"])):
        now = profile(run_id, rank_s, 2)
        write_json(now.comparison, kept.model_dump(by_alias=True))
        assert [suspect.function for suspect in attribution_of(read_run(now)).suspects] == named


def test_phases_sampled_at_different_rates_count_by_their_time(tmp_path: Path) -> None:
    """The first at a quarter of the other's rate: a quarter of the samples tell of as much CPU time."""
    slow = (*SEARCH, "rank (shop/rank.py:3)")
    phases = [steady(seconds=30, name="first"), steady(seconds=30, name="second")]
    before = run_of(tmp_path, "before", stacks(), phases=phases)
    now = record_run(
        tmp_path,
        run_id="now",
        phases=phases,
        requests_per_user_s=4.0,
        profiles=Profiles(
            cpu={"first": stacks({slow: 3000}, scale=0.25, seed=1), "second": stacks({slow: 3000}, seed=2)},
            rates_hz={"first": 25.0},
        ),
    )
    baseline = Baseline(
        scenario="flash_sale", profile="default", fingerprint="f1e2d3c4", runs=[measure(open_recording(before))]
    )
    write_json(now.comparison, baseline.model_dump(by_alias=True))
    (suspect,) = attribution_of(read_run(now)).suspects
    requests = sum(phase.requests for phase in judge(now).phases)
    assert suspect.function == "rank"
    assert suspect.cpu_ms_run == pytest.approx(1000 * 2 * 3000 / 100 / requests, rel=0.1)


def test_without_a_baseline_there_is_no_suspect(tmp_path: Path) -> None:
    assert suspects(tmp_path, stacks({(*LIST, "new (shop/new.py:1)"): 9000}), baselines=0) == []


def test_a_baseline_under_another_load_makes_no_suspect(tmp_path: Path) -> None:
    profile = stacks({(*SEARCH, "slow_search (shop/defective.py:30)"): 3000})
    assert suspects(tmp_path / "same", profile)
    assert not suspects(tmp_path / "other", profile, now=[ramp(seconds=5), steady(users=90, seconds=30)])


def test_stress_phases_count_where_no_steady_one_was_sampled(tmp_path: Path) -> None:
    profile = stacks({(*LIST, "new (shop/new.py:1)"): 9000})
    (suspect,) = suspects(tmp_path, profile, phases=[stress()])
    assert suspect.function == "new"


def test_a_phase_that_the_baseline_did_not_sample_is_left_out(tmp_path: Path) -> None:
    folder = run_of(tmp_path, "now", stacks({(*LIST, "new (shop/new.py:1)"): 9000}))
    before = record_run(tmp_path, run_id="before", phases=PHASES)
    baseline = Baseline(scenario="s", profile="p", fingerprint="f", runs=[measure(open_recording(before))])
    write_json(folder.comparison, baseline.model_dump(by_alias=True))
    assert attribution_of(read_run(folder)).suspects == []


# ------------------------------------------------------------------------------------------ by function


@pytest.mark.parametrize(
    ("text", "frame", "standard"),
    [
        ("search (shop/app.py:120)", Frame("search", "shop/app.py", 120), False),
        ("<lambda> (my app.py)", Frame("<lambda>", "my app.py", 0), False),
        ("process 12:python -m shop", Frame("process 12:python -m shop", "", 0), False),
        ("loads (json/__init__.py:4)", Frame("loads", "json/__init__.py", 4), True),
        ("choose (random.py:9)", Frame("choose", "random.py", 9), True),
        ("_find (<frozen importlib._bootstrap>:9)", Frame("_find", "<frozen importlib._bootstrap>", 9), True),
        ("x (/usr/lib/python3.11/difflib.py:3)", Frame("x", "/usr/lib/python3.11/difflib.py", 3), True),
        ("x (/v/lib/python3.11/site-packages/a.py:3)", Frame("x", "/v/lib/python3.11/site-packages/a.py", 3), False),
    ],
)  # fmt: skip
def test_frames(text: str, frame: Frame, standard: bool) -> None:
    assert parse_frame(text) == frame
    assert frame.is_standard == standard


@pytest.mark.parametrize(
    "waiting",
    [
        "Condition.wait (threading.py:320)",
        "EpollSelector.select (selectors.py:468)",
        "Runner.run (asyncio/runners.py:118)",
        "wait (/usr/lib/python3.11/threading.py:320)",
    ],
)
def test_threads_that_wait_for_work_are_not_counted(tmp_path: Path, waiting: str) -> None:
    idle = Stack(("Thread.run (threading.py:1)", waiting), 50_000)
    assert parse_frame(waiting).is_waiting
    assert not parse_frame("wait (shop/queue.py:3)").is_waiting
    assert suspects(tmp_path, [*stacks(seed=9), idle]) == []
    kept = judge(RunFolder(tmp_path / "now"))
    assert kept.suspects == []
    run = read_run(RunFolder(tmp_path / "now"))
    profile = phase_profile(run, run.phases[1], "cpu")
    assert profile is not None
    assert profile.samples < 5_000


def test_recursion_counts_once_a_stack_and_lines_do_not_matter() -> None:
    found = functions_of(
        [
            Stack(("main (a.py:1)", "walk (a.py:5)", "walk (a.py:6)", "walk (a.py:6)"), 7),
            Stack(("main (a.py:2)", "walk (a.py:5)"), 2),
            Stack(("main (a.py:2)",), 1),
        ]
    )
    assert found == {"main (a.py)": FunctionSamples(own=1, total=10), "walk (a.py)": FunctionSamples(own=9, total=9)}


@pytest.mark.parametrize(("first", "last"), [(0, 14), (5, 14), (20, 99)])
def test_requests_are_those_sent_while_the_sampler_was_on(tmp_path: Path, first: int, last: int) -> None:
    """As many in each second as there were: in a ramp the first have few."""
    folder = run_of(tmp_path, "now", stacks(), phases=[ramp(users=40, seconds=30, name="rising"), steady(seconds=1)])
    record = read_run(folder).phases[0]
    write_folded(folder.path / "rising.folded", stacks())
    begin_s = max(float(first), record.start_s)
    sampled = Profile(
        "cpu", 0, "rising.folded", "samples", last + 1 - begin_s, 100.0, offset_s=begin_s - record.start_s
    )
    ProfileIndex(profiles=[sampled]).save(folder.profiles)
    run = read_run(folder)
    profile = phase_profile(run, run.phases[0], "cpu")
    assert profile is not None
    assert profile.requests == pytest.approx(
        record.table.requests[(first <= record.table.second) & (record.table.second <= last)].sum()
    )
    assert phase_profile(run, run.phases[1], "cpu") is None


def test_requests_of_a_second_that_was_sampled_in_part_count_in_part(tmp_path: Path) -> None:
    folder = run_of(tmp_path, "now", stacks(), phases=[steady(seconds=30)])
    index = ProfileIndex.load(folder.profiles)
    record = read_run(folder).phases[0]
    ProfileIndex([replace(index.profiles[0], offset_s=5.5 - record.start_s, duration_s=0.25)]).save(folder.profiles)
    profile = phase_profile(read_run(folder), record, "cpu")
    assert profile is not None
    assert profile.requests == pytest.approx(record.table.requests[record.table.second == 5].sum() / 4)


def test_a_profile_that_is_gone_is_as_if_never_taken(tmp_path: Path) -> None:
    folder = run_of(tmp_path, "now", stacks())
    (folder.cpu / "1-steady.folded").unlink()
    run = read_run(folder)
    assert phase_profile(run, run.phases[1], "cpu") is None


# ------------------------------------------------------------------------------------------ what a baseline keeps


def test_a_baseline_keeps_every_figure_and_profile(tmp_path: Path) -> None:
    folder = run_of(tmp_path, "now", stacks())
    kept = measure(open_recording(folder))
    assert kept.run_id == "now"
    assert [phase.name for phase in kept.phases] == ["ramp", "steady"]
    assert kept.endpoint("steady", "GET /products") is not None
    p95 = kept.figure("steady", ALL, "p95")
    assert p95 is not None
    assert p95.value == judge(folder).phases[1].response_ms.p95
    assert [phase.name for phase in kept.phases if phase.profile] == ["steady"]
    assert type(kept).model_validate_json(kept.model_dump_json()) == kept


# ------------------------------------------------------------------------------------------ own code and libraries


def test_growth_inside_a_library_is_charged_to_the_own_function_that_calls_it_for_it(tmp_path: Path) -> None:
    more: dict[tuple[str, ...], int] = {(*SEARCH, "extract (rapidfuzz/process.py:9)"): 3000}
    (suspect,) = suspects(tmp_path, stacks(more))
    assert (suspect.function, suspect.file) == ("search", "shop/app.py")
    assert suspect.inside == "extract (rapidfuzz/process.py)"


def test_a_library_that_is_slower_for_all_its_callers_is_named_itself(tmp_path: Path) -> None:
    slower = {frames: 3 * weight for frames, weight in USUAL.items() if frames[-1] == DATABASE[-1]}
    (suspect,) = suspects(tmp_path, stacks(slower))
    assert (suspect.function, suspect.inside) == ("do_execute", None)


@pytest.mark.parametrize(("factor", "named"), [(2.0, True), (4.0, False)])
def test_profiles_that_show_where_threads_waited_for_a_core_are_not_compared(
    tmp_path: Path, factor: float, named: bool
) -> None:
    folder = run_of(tmp_path, "now", stacks({(*LIST, "new (shop/new.py:1)"): 3000}))
    index = ProfileIndex.load(folder.profiles)
    spans = [
        replace(span, cpu_s={pid: used_s / factor for pid, used_s in span.cpu_s.items()})
        for span in index.profiles[0].spans
    ]
    ProfileIndex([replace(index.profiles[0], spans=spans)]).save(folder.profiles)
    before = measure(open_recording(run_of(tmp_path, "before", stacks())))
    baseline = Baseline(scenario="flash_sale", profile="default", fingerprint="f1e2d3c4", runs=[before])
    write_json(folder.comparison, baseline.model_dump(by_alias=True))
    found = attribution_of(read_run(folder))
    assert [suspect.function for suspect in found.suspects] == ["new"] * named
    assert [note.code for note in found.notes] == ["profile-shows-waiting"] * (not named)


def test_a_night_whose_threads_waited_for_cores_is_left_out_of_the_baseline(tmp_path: Path) -> None:
    folder = run_of(tmp_path, "now", stacks({(*LIST, "new (shop/new.py:1)"): 3000}))
    quiet, busy = (run_of(tmp_path, name, stacks()) for name in ("quiet", "busy"))
    index = ProfileIndex.load(busy.profiles)
    spans = [
        replace(span, cpu_s={pid: used_s / 4 for pid, used_s in span.cpu_s.items()}) for span in index.profiles[0].spans
    ]
    ProfileIndex([replace(index.profiles[0], spans=spans)]).save(busy.profiles)
    runs = [measure(open_recording(each)) for each in (busy, quiet)]
    baseline = Baseline(scenario="flash_sale", profile="default", fingerprint="f1e2d3c4", runs=runs)
    write_json(folder.comparison, baseline.model_dump(by_alias=True))
    found = attribution_of(read_run(folder))
    assert [suspect.function for suspect in found.suspects] == ["new"]
    assert found.notes == []


def test_without_a_suspect_the_growth_that_would_have_been_seen_is_stated(tmp_path: Path) -> None:
    assert suspects(tmp_path, stacks(seed=9)) == []
    (note,) = attribution_of(read_run(RunFolder(tmp_path / "now"))).notes
    assert note.code == "growth-visible"
    tenth, half = note.params["percent"], note.params["of_half"]
    assert isinstance(tenth, Amount)  # reads "120 %", not "1.2e+02 %"
    assert isinstance(half, Amount)
    assert 0 < tenth < 20
    assert half > tenth
