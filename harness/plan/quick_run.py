"""The load of a quick run, as options like Locust's ``-u``, ``-r`` and ``-t`` give it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import InvalidValue
from harness.messages import Message, Option, message
from harness.plan.config_source import DEFAULT_STEADY_S, ConfigSource, default_phases
from harness.plan.model.run import RunPlan
from harness.plan.problems import Problems
from harness.quantities import MOST_USERS, parse_duration

_LEAST_HOLD = 0.1
"""The share of a run that holds the users it has reached, where it is too short to start all."""


@dataclass(frozen=True)
class QuickRun:
    """The load as Locust's command line gives it: users, users started per second, and the length of the run."""

    users: int | None = None
    spawn_rate: float | None = None
    run_time: str | float | None = None

    def phases(self, problems: Problems) -> ConfigSource:
        """A ramp, unless all users start at once, and a steady phase. Default: one user, one more each second.

        A run that ends before all users are started ends its ramp early, for a steady phase that gates can read.
        """
        users, ramp_s, total_s = self._users, self._ramp_s, 0.0
        if not 1 <= users <= MOST_USERS:
            problems.add("number-out-of-range", where=Option("users"), value=users, least=1, most=MOST_USERS)
        if not 0 < self._spawn_rate < math.inf:
            problems.add("spawn-rate-not-positive", where=Option("spawn_rate"), value=self._spawn_rate)
        try:
            total_s = self._total_s
        except InvalidValue as error:
            problems.add_invalid(error, where=Option("run_time"))
        if len(problems):
            return default_phases(has_shape=False)
        if total_s <= ramp_s:
            ramp_s = total_s - max(_LEAST_HOLD * total_s, min(1.0, total_s / 2))
            users = max(1, int(self._spawn_rate * ramp_s))
        phases = [{"kind": "steady", "users": users, "duration": total_s - ramp_s}]
        if ramp_s:
            phases.insert(0, {"kind": "ramp", "users": users, "duration": ramp_s})
        return ConfigSource({"phase": phases}, {("phase",): Option("users")})

    def of_shape(self, problems: Problems) -> ConfigSource:
        """The phase of a scenario's ``LoadTestShape``, which sets the users itself and ends with the run time."""
        phase = dict(default_phases(has_shape=True).data["phase"][0])
        if self.run_time is not None:
            try:
                phase["duration"] = self._total_s
            except InvalidValue as error:
                problems.add_invalid(error, where=Option("run_time"))
        return ConfigSource({"phase": [phase]}, {("phase",): Option("run_time")})

    def arguments(self) -> list[str]:
        """The options again, for a shape with ``use_common_options``."""
        given = {"--users": self.users, "--spawn-rate": self.spawn_rate, "--run-time": self.run_time}
        return [word for option, value in given.items() if value is not None for word in (option, str(value))]

    def notice(self, plan: RunPlan) -> Message | None:
        """What the user should know about the load that was made of the options, if anything."""
        if plan.phases[0].kind == "shape":
            passed_on = set(self.arguments()) <= set(plan.arguments)
            sets_users = self.users is not None or self.spawn_rate is not None
            return message("load-set-by-shape") if sets_users and not passed_on else None
        if self._total_s > self._ramp_s:
            return None
        reached = int(plan.phases[0].segments[-1].end)
        more = Option("spawn_rate", math.ceil(2 * self._users / self._total_s))
        return message("run-time-within-ramp", users=self._users, ramp_s=self._ramp_s, reached=reached, option=more)

    @property
    def _users(self) -> int:
        return 1 if self.users is None else self.users

    @property
    def _spawn_rate(self) -> float:
        return 1.0 if self.spawn_rate is None else self.spawn_rate

    @property
    def _ramp_s(self) -> float:
        """How long it takes to start all users."""
        return self._users / self._spawn_rate if self._users > self._spawn_rate > 0 else 0.0

    @property
    def _total_s(self) -> float:
        """The length of the run. Raises ``InvalidValue``."""
        if self.run_time is None:
            return self._ramp_s + DEFAULT_STEADY_S
        text = str(self.run_time)  # as in Locust, a number without a unit is in seconds
        return parse_duration(float(text) if text.isdecimal() else self.run_time)
