"""A plan as it may be written down and shown: without the secrets that a user has put into it."""

from __future__ import annotations

from harness.plan.bench import BenchPlan
from harness.plan.model import AttachedTarget, CommandTarget, RunPlan, ShopTarget, Target
from harness.plan.overrides import as_text, read_value
from harness.record.redaction import (
    REDACTED,
    add_names,
    is_secret,
    redacted,
    redacted_command,
    redacted_settings,
    redacted_words,
)


def redacted_plan(plan: RunPlan) -> RunPlan:
    """``plan`` with ``***`` for each secret in the target, in the arguments behind ``--`` and in overrides.

    Whoever runs it again puts them in. The plan's own names (``mask``) are known in this process from now on.
    """
    add_names(plan.mask)
    users = [
        user.model_copy(update={"host": None if user.host is None else redacted(user.host)})
        for user in plan.scenario.user_classes
    ]
    gates = [
        gate.model_copy(update={"endpoint": None if gate.endpoint is None else redacted(gate.endpoint)})
        for gate in plan.gates
    ]
    return plan.model_copy(
        update={
            "scenario": plan.scenario.model_copy(update={"user_classes": tuple(users)}),
            # As the endpoint's name is recorded.
            "gates": tuple(gates),
            "target": _redacted_target(plan.target),
            "arguments": redacted_words(plan.arguments),
            "overrides": tuple(map(_redacted_override, plan.overrides)),
        }
    )


def redacted_bench(plan: BenchPlan) -> BenchPlan:
    """As :func:`redacted_plan`, of a bench: its secrets are in what pytest is given."""
    add_names(plan.mask)
    return plan.model_copy(update={"arguments": redacted_words(plan.arguments)})


def _redacted_override(text: str) -> str:
    key, _, value_text = text.partition("=")
    value = read_value(value_text)
    hidden = _redacted_value(key.strip(), value)
    return text if hidden == value else as_text((key, hidden))


def _redacted_value(name: str, value: object) -> object:
    """As the target that it sets is masked: tables by their names, its command by its words."""
    if is_secret(name):
        return REDACTED if value != "" else value
    match value:
        case dict():
            return {below: _redacted_value(below, item) for below, item in value.items()}
        case list():
            return [_redacted_value(name, item) for item in value]
        case str():
            return redacted_command(value) if name.rpartition(".")[2] == "command" else redacted(value)
        case _:
            return value


def _redacted_target(target: Target) -> Target:
    match target:
        case AttachedTarget(url=url):
            return target.model_copy(update={"url": redacted(url)})
        case CommandTarget(command=command, environment=environment):
            update = {"command": redacted_command(command), "environment": redacted_settings(environment)}
            return target.model_copy(update=update | {"ready_path": redacted(target.ready_path)})
        case ShopTarget(environment=environment):
            return target.model_copy(update={"environment": redacted_settings(environment)})
