"""What a plan is made of where nothing is wrong: which source wins, what the defaults are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import harness
from harness.errors import HarnessError, ManyProblemsError
from harness.messages import Option
from harness.plan.model.run import RunPlan
from harness.plan.model.target import AttachedTarget, CommandTarget, PlannedTarget, ShopTarget
from harness.plan.profile import load_profile, profile_names
from harness.plan.quick_run import QuickRun
from harness.plan.resolve import resolve
from harness.plan.target import TargetOptions
from tests.unit.plan.support import assert_found, describe, found, plan_of, target_problems

SCENARIO = """
phases = [
    ramp(users=50, over="15s"),
    steady(users=50, hold="30s"),
    stress(users=(50, 400, 50), every="5s", until="p95 > 500ms"),
]
gates = [gate("p95 < 500ms", phase="steady", endpoint="POST /checkout"), gate("error_rate < 1%")]
sampling = {"memory": {"duration": "5s"}}
stop_early = True
"""
STEADY = '[[phase]]\nkind = "steady"\nrate = 5\nduration = "5s"\n'


def test_a_scenario_alone_is_a_plan(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SCENARIO)
    assert [phase.name for phase in plan.phases] == ["ramp", "steady", "stress", "diagnose"]
    assert [phase.measured for phase in plan.phases] == [False, True, False, False]
    assert [(gate.comparison.source, gate.phase, gate.endpoint) for gate in plan.gates] == [
        ("p95 < 500ms", "steady", "POST /checkout"),
        ("error_rate < 1%", None, None),
    ]
    assert plan.profile == "default"
    assert plan.target == ShopTarget()
    assert (plan.stop_early, plan.stop_timeout_s) == (True, 10)
    assert plan.sampling.model_dump() == {
        "cpu": {"rate_hz": 100, "max_overhead": 0.02},
        "memory": {"duration_s": 5},
        "metrics": (),
        "traces": None,
    }
    assert plan.scenario.path == str(tmp_path / "scenarios" / "shop.py")


def test_a_plan_is_the_same_when_read_from_its_json(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SCENARIO)
    assert RunPlan.model_validate_json(plan.model_dump_json()) == plan


def test_a_folder_whose_name_is_not_utf8_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "\udcff"
    folder.mkdir()
    with pytest.raises(HarnessError) as raised:
        plan_of(folder, SCENARIO)
    assert (raised.value.code, raised.value.where) == ("text-not-utf8", "scenario.path")
    assert str(raised.value.params["text"]).startswith(str(folder))


def test_a_plan_of_an_earlier_version_can_be_read(tmp_path: Path) -> None:
    stored = plan_of(tmp_path, SCENARIO).model_dump(mode="json")
    (variant,) = stored.pop("targets")
    stored |= {"target": variant["target"], "mask": ["x-tenant"]}
    del stored["secret_names"]
    plan = RunPlan.model_validate(stored)
    assert (plan.target, plan.secret_names) == (ShopTarget(), ("x-tenant",))
    assert [each.name for each in plan.targets] == [""]


def test_a_file_without_a_load_is_run_with_a_few_users(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert [phase.description for phase in plan.phases[:2]] == ["0 → 10 users over 5 s", "10 users for 30 s"]
    assert plan.default_phases


def test_a_file_that_states_no_gates_has_a_default_one(tmp_path: Path) -> None:
    (default,) = plan_of(tmp_path).gates
    assert (default.comparison.source, default.phase, default.default) == ("error_rate < 1%", None, True)
    assert plan_of(tmp_path, "gates = []").gates == ()
    assert not any(gate.default for gate in plan_of(tmp_path, "gates = [gate('p95 < 1s')]").gates)


@pytest.mark.parametrize(
    ("quick", "expected"),
    [
        (QuickRun(users=50, spawn_rate=10, run_time="1m"), ["0 → 50 users over 5 s", "50 users for 55 s"]),
        (QuickRun(users=5), ["0 → 5 users over 5 s", "5 users for 30 s"]),
        (QuickRun(run_time="20"), ["1 user for 20 s"]),
        (QuickRun(users=100, run_time="30s"), ["0 → 27 users over 27 s", "27 users for 3 s"]),
        (QuickRun(users=5, run_time="5s"), ["0 → 4 users over 4 s", "4 users for 1 s"]),
        (QuickRun(users=9, run_time="1s"), ["0 → 1 user over 500 ms", "1 user for 500 ms"]),
    ],
)
def test_locusts_load_options_are_a_ramp_and_a_steady_phase(
    tmp_path: Path, quick: QuickRun, expected: list[str]
) -> None:
    plan = resolve(describe(tmp_path, SCENARIO), quick=quick, gates=[])
    assert [phase.description for phase in plan.phases if phase.kind != "diagnose"] == expected
    assert not plan.default_phases


def test_a_quick_run_takes_the_time_that_was_given_unless_memory_is_asked_for(tmp_path: Path) -> None:
    quick = QuickRun(users=1, run_time="6s")
    plan = resolve(describe(tmp_path), quick=quick)
    assert ([phase.duration_s for phase in plan.phases], plan.sampling.memory) == ([6], None)
    asked = resolve(describe(tmp_path), quick=quick, overrides=["sampling.memory=true"])
    assert [phase.duration_s for phase in asked.phases] == [6, 10]


@pytest.mark.parametrize(
    ("quick", "where", "code"),
    [
        (QuickRun(users=0), "--users", "number-out-of-range"),
        (QuickRun(users=5, spawn_rate=0), "--spawn-rate", "spawn-rate-not-positive"),
        (QuickRun(users=5, run_time="5x"), "--run-time", "duration-invalid"),
    ],
)
def test_wrong_load_options_are_reported(tmp_path: Path, quick: QuickRun, where: str, code: str) -> None:
    with pytest.raises(ManyProblemsError) as raised:
        resolve(describe(tmp_path), quick=quick)
    assert [(problem.where, problem.code) for problem in raised.value.problems] == [(where, code)]


def test_a_quick_run_that_ends_while_it_ramps_says_how_far_it_gets(tmp_path: Path) -> None:
    quick = QuickRun(users=100, run_time="30s")
    notice = quick.notice(resolve(describe(tmp_path), quick=quick))
    assert notice is not None
    assert notice.code == "run-time-within-ramp"
    assert (notice.params["ramp_s"], notice.params["reached"], notice.params["option"]) == (100, 27, ("spawn_rate", 7))
    whole = QuickRun(users=100, spawn_rate=7, run_time="30s")
    assert whole.notice(resolve(describe(tmp_path), quick=whole)) is None


def test_load_options_do_not_replace_what_sets_the_load_otherwise(tmp_path: Path) -> None:
    with pytest.raises(ManyProblemsError) as raised:
        resolve(describe(tmp_path), quick=QuickRun(users=5), phases=[])
    assert raised.value.problems[0].code == "load-given-twice"


def test_a_shape_takes_of_the_load_options_what_it_can(tmp_path: Path) -> None:
    quick = QuickRun(users=5, run_time="20s")
    plan = resolve(describe(tmp_path, has_shape=True), quick=quick)
    (phase,) = plan.phases
    assert (phase.kind, phase.most_s, plan.arguments) == ("shape", 20, ())
    notice = quick.notice(plan)
    assert notice is not None
    assert notice.code == "load-set-by-shape"
    assert QuickRun(run_time="20s").notice(plan) is None
    reading = describe(tmp_path, has_shape=True).model_copy(update={"shape_reads_options": True})
    plan = resolve(reading, quick=quick, arguments=["--own"])
    assert plan.arguments == ("--own", "--users", "5", "--run-time", "20s")
    assert quick.notice(plan) is None


def test_a_load_test_shape_sets_the_load_where_the_file_states_no_phases(tmp_path: Path) -> None:
    plan = resolve(describe(tmp_path, "gates = [gate('p95 < 1s')]", has_shape=True))
    (phase,) = plan.phases
    assert (phase.kind, phase.segments, phase.duration_s, phase.measured) == ("shape", (), 0, True)
    assert phase.description == "users as the scenario's LoadTestShape sets them"
    assert resolve(describe(tmp_path, SCENARIO, has_shape=True)).phases[0].kind == "ramp"


def test_default_names_are_numbered_and_differ_from_given_ones(tmp_path: Path) -> None:
    text = "phases = [pause(1), steady(users=1, hold=1, name='pause-2'), pause(1), pause(1)]"
    assert [phase.name for phase in plan_of(tmp_path, text).phases[:4]] == ["pause", "pause-2", "pause-3", "pause-4"]


def test_a_profile_replaces_phases_and_gates_and_adds_to_sampling(tmp_path: Path) -> None:
    gate = '[[gate]]\nrequire = "p99 < 1s"\n'
    plan = plan_of(
        tmp_path, SCENARIO, f"stop_timeout = 3\n{STEADY}{gate}[sampling]\ncpu = {{rate_hz = 20, max_overhead = '5%'}}\n"
    )
    assert [phase.name for phase in plan.phases] == ["steady", "diagnose"]
    assert [gate.comparison.source for gate in plan.gates] == ["p99 < 1s"]
    assert plan.sampling.model_dump() == {
        "cpu": {"rate_hz": 20, "max_overhead": 0.05},
        "memory": {"duration_s": 5},
        "metrics": (),
        "traces": None,
    }
    assert (plan.profile, plan.stop_early, plan.stop_timeout_s) == ("quick", True, 3)


def test_a_profile_without_gates_leaves_the_scenarios(tmp_path: Path) -> None:
    assert len(plan_of(tmp_path, SCENARIO, STEADY).gates) == 2


def test_a_profile_can_drop_all_gates(tmp_path: Path) -> None:
    assert plan_of(tmp_path, SCENARIO, f"gate = []\n{STEADY}").gates == ()


def test_a_profile_without_phases_leaves_the_scenarios(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SCENARIO, "sampling = {memory = false}\n")
    assert [phase.name for phase in plan.phases] == ["ramp", "steady", "stress"]


def test_there_is_a_worker_a_core_less_one(tmp_path: Path) -> None:
    description = describe(tmp_path)
    assert resolve(description).workers == max(1, len(os.sched_getaffinity(0)) - 1)
    assert resolve(description, workers=5, overrides=["workers=3"]).workers == 5


def test_a_seed_is_drawn_unless_given(tmp_path: Path) -> None:
    description = describe(tmp_path)
    assert len({resolve(description).seed for _ in range(5)}) > 1
    assert resolve(description, seed=0, overrides=["seed=3"]).seed == 0
    assert resolve(description, overrides=["seed=3"]).seed == 3


def test_a_seed_of_more_than_64_bits_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ManyProblemsError) as raised:
        resolve(describe(tmp_path), seed=2**63)
    assert [problem.code for problem in raised.value.problems] == ["seed-out-of-range"]


def test_tags_are_passed_on(tmp_path: Path) -> None:
    plan = resolve(describe(tmp_path), tags=["a"], exclude_tags=["b"])
    assert (plan.tags, plan.exclude_tags) == (("a",), ("b",))


def test_an_attached_target_has_no_memory_pass(tmp_path: Path) -> None:
    plan = resolve(describe(tmp_path, SCENARIO), target=TargetOptions(host="https://shop.example/", pid=7))
    assert plan.target == AttachedTarget(url="https://shop.example", pid=7)
    assert [phase.name for phase in plan.phases] == ["ramp", "steady", "stress"]


def test_the_command_line_wins_over_the_profiles_target(tmp_path: Path) -> None:
    path = tmp_path / "quick.toml"
    path.write_text('[target]\ncommand = "serve {port}"\nready = "/up"\nready_timeout = "5s"\nenvironment = {A = 1}\n')
    description, profile = describe(tmp_path), load_profile(str(path))
    expected = CommandTarget(command="serve {port}", ready_path="/up", ready_timeout_s=5, environment={"A": "1"})
    assert resolve(description, profile=profile).target == expected
    given = resolve(description, profile=profile, target=TargetOptions(command="other", ready="/ok")).target
    assert given == expected.model_copy(update={"command": "other", "ready_path": "/ok"})
    assert resolve(description, profile=profile, target=TargetOptions(host="http://[::1]:80")).target == AttachedTarget(
        url="http://[::1]:80"
    )


def test_a_profile_can_name_a_running_target(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "", "allowed_hosts = ['10.0.0.5']\n[target]\nurl = 'http://10.0.0.5:80/api/'\n")
    assert plan.target == AttachedTarget(url="http://10.0.0.5:80/api", allowed=True)


@pytest.mark.parametrize("host", ["http://localhost:80", "http://127.0.0.7", "HTTP://[::1]:80/"])
def test_a_locustfile_that_names_this_machine_is_put_on_it(tmp_path: Path, host: str) -> None:
    assert resolve(describe(tmp_path, host=host)).target == AttachedTarget(url=host.rstrip("/"), own_hosts=True)


def test_users_without_any_host_are_not_put_on_the_shop(tmp_path: Path) -> None:
    description = describe(tmp_path).model_copy(update={"target": None})
    (problem,) = target_problems(description, TargetOptions())
    assert_found(
        [problem], problem.where, "no-target", {"host": Option("host", "URL"), "shop": Option("target", "shop")}
    )
    assert resolve(description, target=TargetOptions(command="shop")).target == ShopTarget()


@pytest.mark.parametrize(
    "host",
    ["localhost:50051", "redis://10.0.0.5", "ws://shop.example/x", "grpc://a", "tcp://b:1", "10.0.0.5", "unix:/s"],
)
def test_the_host_of_a_custom_client_is_its_own_business(tmp_path: Path, host: str) -> None:
    description = describe(tmp_path, host=host, is_http=False)
    assert resolve(description).target == AttachedTarget(url=host, own_hosts=True)
    assert resolve(description, target=TargetOptions(host="other:1")).target == AttachedTarget(url="other:1")
    assert resolve(describe(tmp_path, host="", is_http=False)).target == AttachedTarget(url="", own_hosts=True)


@pytest.mark.parametrize(
    ("text", "profile", "expected"),
    [
        ("target = 'serve {port}'", "", CommandTarget(command="serve {port}")),
        ("target = 'http://localhost:80'", "", AttachedTarget(url="http://localhost:80")),
        ("target = {'command': 'serve', 'ready': '/up'}", "", CommandTarget(command="serve", ready_path="/up")),
        ("", "[target]\nenvironment = {A = 1}", ShopTarget(environment={"A": "1"})),
        ("", "target = 'serve'", CommandTarget(command="serve")),
        ("", "[target]\nurl = 'http://localhost:80'", AttachedTarget(url="http://localhost:80")),
        ("def target(): pass\ntarget2 = target", "[target]\ncommand = 'serve'", CommandTarget(command="serve")),
    ],
)
def test_a_scenario_states_its_target_and_a_profile_completes_or_replaces_it(
    tmp_path: Path, text: str, profile: str, expected: PlannedTarget
) -> None:
    assert plan_of(tmp_path, text, profile).target == expected


def test_an_override_replaces_the_target_that_a_scenario_states(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "", None, "target.url=http://localhost:80")
    assert plan.target == AttachedTarget(url="http://localhost:80")


@pytest.mark.parametrize(
    ("host", "code", "name"),
    [
        ("https://shop.example", "scenario-host-not-allowed", "shop.example"),
        ("http://10.0.0.5", "scenario-host-not-allowed", "10.0.0.5"),
        ("shop.example:80", "scenario-host-invalid", None),
        ("127.0.0.1:8000", "scenario-host-invalid", None),
        ("http+unix://%2Frun%2Fapp.sock", "scenario-host-invalid", None),
        ("http://[::1", "scenario-host-invalid", None),
    ],
)
def test_a_locustfile_names_its_host_as_a_url_of_an_allowed_machine(
    tmp_path: Path, host: str, code: str, name: str | None
) -> None:
    (problem,) = target_problems(describe(tmp_path, host=host), TargetOptions())
    setting = {"host": name, "setting": f'allowed_hosts = ["{name}"]'} if name else {}
    assert problem.where.endswith("shop.py")
    assert_found([problem], problem.where, code, {"url": host, **setting})
    assert (
        resolve(describe(tmp_path, host=host), target=TargetOptions(host="http://localhost")).target.kind == "attached"
    )


@pytest.mark.parametrize(
    ("options", "where", "code", "params"),
    [
        (
            TargetOptions(host="http://localhost", command="serve"),
            "--host",
            "host-with-target",
            {"other": "--target"},
        ),
        (TargetOptions(command="serve", pid=5), "--pid", "pid-with-target", {"other": "--target"}),
        (TargetOptions(host="http://localhost", pid=-1), "--pid", "pid-not-a-number", {"pid": -1}),
        (TargetOptions(command=""), "--target", "target-command-empty", {}),
        (
            TargetOptions(command="http://127.0.0.1:8000/", command_option="a", host_option="a_url"),
            "--a",
            "target-command-is-url",
            {"right": Option("a_url", "http://127.0.0.1:8000/")},
        ),
        (TargetOptions(command=" ", command_option="b"), "--b", "target-command-empty", {}),
        (TargetOptions(command="'"), "--target", "target-command-invalid", {"reason": "No closing quotation"}),
        (
            TargetOptions(command="serve \0"),
            "--target",
            "target-command-invalid",
            {"reason": "it contains a null character"},
        ),
        (TargetOptions(host="x", host_option="a_url"), "--a-url", "url-without-scheme", {"url": "x"}),
        (
            TargetOptions(command="serve", ready="http://localhost:80/up"),
            "--ready",
            "ready-not-a-path",
            {"path": "http://localhost:80/up", "meant": "/up"},
        ),
        (TargetOptions(pid=5), "--pid", "pid-without-host", {"option": Option("host", "URL")}),
        (TargetOptions(ready="/up"), "--ready", "ready-without-command", {"option": Option("target", "CMD")}),
        (TargetOptions(host="localhost:80"), "--host", "url-without-scheme", {"url": "localhost:80"}),
        (TargetOptions(host="http://"), "--host", "url-invalid", {"url": "http://"}),
    ],
)
def test_options_that_contradict_are_rejected(
    tmp_path: Path, options: TargetOptions, where: str, code: str, params: dict[str, object]
) -> None:
    (problem,) = target_problems(describe(tmp_path), options)
    assert_found([problem], where, code, params)


def test_a_file_without_users_is_rejected(tmp_path: Path) -> None:
    (problem,) = target_problems(describe(tmp_path, users=0), TargetOptions())
    assert problem.code == "scenario-without-users"
    assert problem.where.endswith("shop.py")


@pytest.mark.parametrize("count", [0, 99_999_999_999])
def test_one_to_a_thousand_workers_are_possible(count: int, tmp_path: Path) -> None:
    with pytest.raises(ManyProblemsError) as raised:
        resolve(describe(tmp_path), workers=count)
    (problem,) = [found(each) for each in raised.value.problems]
    assert_found([problem], "--workers", "workers-out-of-range", {"count": count, "least": 1, "most": 1000})


SHIPPED = Path(__file__).parents[3] / "profiles"


def test_the_shipped_profiles_are_those_the_readme_names() -> None:
    shipped = {path.stem for path in SHIPPED.glob("*.toml")}
    assert {"smoke", "load", "stress", "soak", "nightly", "flash-smoke", "flash-load", "flash-stress"} <= shipped
    assert shipped <= set(profile_names())


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_profile_fits_any_scenario_and_says_what_it_is_for(tmp_path: Path, path: Path) -> None:
    profile = load_profile(str(path))
    scenario = describe(tmp_path, SCENARIO)
    if path.stem.startswith("chaos"):  # these gate what the flash sale's own verify finds
        scenario = scenario.model_copy(update={"has_verify": True, "figures": ("lost_writes",)})
    plan = resolve(scenario, profile=profile)
    assert plan.gates
    assert profile.source.data["description"]


def test_the_shipped_sizes_are_the_planned_ones(tmp_path: Path) -> None:
    def phases(name: str) -> dict[str, tuple[float, float]]:
        plan = resolve(describe(tmp_path), profile=load_profile(name))
        return {phase.name: (phase.segments[-1].end, phase.duration_s) for phase in plan.phases}

    assert sum(seconds for _, seconds in phases("smoke").values()) < 20
    assert phases("flash-smoke")["steady"][0] == 100
    assert phases("flash-load")["ramp"] == (5000, 600)
    assert phases("flash-load")["steady"] == (5000, 1800)
    assert phases("flash-stress")["stress"][0] == 15_000


def test_what_a_call_states_comes_before_scenario_and_profile(tmp_path: Path) -> None:
    (tmp_path / "quick.toml").write_text(STEADY + '[[gate]]\nrequire = "p95 < 1s"\n')
    profile = load_profile(str(tmp_path / "quick.toml"))
    scenario = describe(tmp_path, SCENARIO)
    stated = resolve(scenario, profile=profile, phases=[harness.steady(users=3, hold="2s", name="calm")])
    assert [phase.description for phase in stated.phases[:1]] == ["3 users for 2 s"]
    assert [gate.comparison.source for gate in stated.gates] == ["p95 < 1s"]
    assert stated.overrides == ()
    required = resolve(scenario, profile=profile, gates=[harness.gate("p99 < 2s", phase="steady")])
    assert [gate.comparison.source for gate in required.gates] == ["p99 < 2s"]
    assert resolve(scenario, profile=profile, gates=[]).gates == ()


def test_what_a_call_states_wrongly_is_reported_with_its_line(tmp_path: Path) -> None:
    line = __file__, sys._getframe().f_lineno + 2
    with pytest.raises(ManyProblemsError) as raised:
        resolve(describe(tmp_path), phases=[harness.steady(users=-3, hold="2s")], gates="p95 < 1s")  # type: ignore[arg-type]  # on purpose
    places = [str(problem.where) for problem in raised.value.problems]
    assert any(f"{Path(line[0]).name}:{line[1]}: steady(users)" in place for place in places), places
    assert "harness.run(gates)" in places
