"""A plan as it may be written down and shown: without the secrets that a user has put into it."""

from __future__ import annotations

from harness.plan.bench import BenchPlan
from harness.plan.model import AttachedTarget, CommandTarget, RunPlan, ShopTarget, Target
from harness.plan.overrides import as_text, read_value
from harness.record.redaction import MASK, add_names, is_secret, masked, masked_command, masked_settings, masked_words


def masked_plan(plan: RunPlan) -> RunPlan:
    """``plan`` with ``***`` for each secret in the target, in the arguments behind ``--`` and in overrides.

    Whoever runs it again puts them in. The plan's own names (``mask``) are known in this process from now on.
    """
    add_names(plan.mask)
    users = [
        user.model_copy(update={"host": None if user.host is None else masked(user.host)})
        for user in plan.scenario.user_classes
    ]
    gates = [
        gate.model_copy(update={"endpoint": None if gate.endpoint is None else masked(gate.endpoint)})
        for gate in plan.gates
    ]
    return plan.model_copy(
        update={
            "scenario": plan.scenario.model_copy(update={"user_classes": tuple(users)}),
            # As the endpoint's name is recorded.
            "gates": tuple(gates),
            "target": _masked_target(plan.target),
            "arguments": masked_words(plan.arguments),
            "overrides": tuple(map(_masked_override, plan.overrides)),
        }
    )


def masked_bench(plan: BenchPlan) -> BenchPlan:
    """As :func:`masked_plan`, of a bench: its secrets are in what pytest is given."""
    add_names(plan.mask)
    return plan.model_copy(update={"arguments": masked_words(plan.arguments)})


def _masked_override(text: str) -> str:
    key, _, written = text.partition("=")
    value = read_value(written)
    hidden = _masked_value(key.strip(), value)
    return text if hidden == value else as_text((key, hidden))


def _masked_value(name: str, value: object) -> object:
    """As the target that it sets is masked: tables by their names, its command by its words."""
    if is_secret(name):
        return MASK if value != "" else value
    match value:
        case dict():
            return {below: _masked_value(below, item) for below, item in value.items()}
        case list():
            return [_masked_value(name, item) for item in value]
        case str():
            return masked_command(value) if name.rpartition(".")[2] == "command" else masked(value)
        case _:
            return value


def _masked_target(target: Target) -> Target:
    match target:
        case AttachedTarget(url=url):
            return target.model_copy(update={"url": masked(url)})
        case CommandTarget(command=command, environment=environment):
            update = {"command": masked_command(command), "environment": masked_settings(environment)}
            return target.model_copy(update=update | {"ready_path": masked(target.ready_path)})
        case ShopTarget(environment=environment):
            return target.model_copy(update={"environment": masked_settings(environment)})
