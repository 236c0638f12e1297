"""Measures what the checks of a scenario cost a load worker: CPU time per request with and without.

8 users without wait times get a small JSON from nginx. What they check changes each second of the run, so that other
work on the machine affects all ways alike; each round of seconds is compared within itself. The CPU time is the
worker's own.

    uv run python benchmarks/checks.py --rounds 10
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from benchmarks.load import HarnessLoad, closed_phase, open_phase
from benchmarks.nginx import Nginx
from benchmarks.output import Spread, run_command, show
from benchmarks.processes import two_cores, wait_until

USERS, SHORT_RATE = 8, 200.0
WAYS = {
    "without checks": "pass",
    "one check by hand": "harness.check('by hand', response.status_code == 200)",
    ".status().within()": "harness.expect(response).status(200).within('1s')",
    ".status().within(), named": "harness.expect(response, 'right').status(200).within('1s')",
    ".json()": "harness.expect(response).json('price_cents', 1299)",
    ".json_schema()": "harness.expect(response).json_schema(SCHEMA)",
}
_WITHOUT = "without checks"
_SCENARIO = """
import harness
from locust import task
from harness import HttpUser

SCHEMA = {{
    "type": "object",
    "required": ["id", "name", "price_cents"],
    "properties": {{"id": {{"type": "integer"}}, "name": {{"type": "string"}}, "price_cents": {{"type": "integer"}}}},
}}

class Getter(HttpUser):
    @task
    def get(self):
        response = self.client.get("/product", name="product")
        match int(self.environment.harness_recorder.now_s()) % {count}:
{cases}
"""


@click.command()
@click.option("--rounds", default=10, show_default=True, type=click.IntRange(1, 100), help="of one second a way")
@click.option("--short", is_flag=True, help="check in a few seconds that it works")
def main(rounds: int, short: bool) -> None:
    """Measure what checks cost a load worker."""
    rounds = 1 if short else rounds
    warm_up = 0 if short else len(WAYS)  # a round of seconds
    generator_core, server_core = two_cores()
    cases = "\n".join(f"            case {number}: {code}" for number, code in enumerate(WAYS.values()))
    seconds = warm_up + len(WAYS) * rounds
    phase = open_phase(SHORT_RATE, seconds + 1, USERS) if short else closed_phase(USERS, seconds + 1)
    with tempfile.TemporaryDirectory() as name, Nginx(Path(name), server_core) as nginx:
        scenario = Path(name) / "scenario.py"
        scenario.write_text(_SCENARIO.format(count=len(WAYS), cases=cases))
        load = HarnessLoad(Path(name), scenario, [phase], nginx.url, generator_core)
        try:
            wait_until(lambda: not load.running(), "the end of the load", seconds + 60)
            journal = load.journal()
        finally:
            load.end()
    cpu_us: dict[str, list[float]] = {way: [] for way in WAYS}
    for second in journal.seconds[warm_up:seconds]:
        requests = int(second.table.requests.sum())
        cpu_us[list(WAYS)[second.second % len(WAYS)]].append(1e6 * second.workers[0].cpu / max(1, requests))
    without = cpu_us[_WITHOUT]
    ways = {
        way: {
            "cpu_us": Spread.of(seen),
            "ratio": Spread.of(mine / other for mine, other in zip(seen, without, strict=True)),
            "more_us": Spread.of(mine - other for mine, other in zip(seen, without, strict=True)),
        }
        for way, seen in cpu_us.items()
    }
    made = sum(check.passed + check.failed for second in journal.seconds for check in second.checks)
    show(
        f"A worker with {USERS} users without wait times; median (least–greatest) of {rounds} rounds; {made:,} checks",
        ["", "CPU µs/request", "× without", "more µs"],
        [
            [way, found["cpu_us"].text(1), found["ratio"].text(2), found["more_us"].text(1)]
            for way, found in ways.items()
        ],
        {"benchmark": "checks", "rounds": rounds, "checks": made, "ways": ways},
    )


if __name__ == "__main__":
    run_command(main)
