"""Runs the scenario's ``setup``, ``verify`` and ``teardown``, each in a child process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from harness.control.faults import Faults
from harness.control.interrupts import Interrupts
from harness.control.load_processes import LoadProcesses
from harness.control.user_code import run_child
from harness.engine.fork_server import HOOK, ForkServer
from harness.errors import ExitCode, HarnessError
from harness.messages import Message, Option, message
from harness.plan.dsl import Hook
from harness.plan.model.run import RunPlan
from harness.record.redaction import redacted
from harness.targets.target import Target


class Verification(NamedTuple):
    """The result of a scenario's ``verify``. ``reason`` is why it did not pass."""

    status: Literal["pass", "fail", "error", "interrupted"]
    reason: Message | None
    duration_s: float
    checks: Sequence[dict[str, Any]] = ()
    """``{"name", "value": bool | float, "detail"}`` each."""

    def to_data(self) -> dict[str, Any]:
        """As ``verify.json`` keeps it, without secrets."""
        reason = self.reason and self.reason.map_texts(redacted)
        checks = [check | {key: redacted(check[key]) for key in ("name", "detail")} for check in self.checks]
        data = {"status": self.status, "message": str(reason or ""), "duration_s": self.duration_s, "checks": checks}
        return data | ({"code": reason.code, "params": reason.to_data()["params"]} if reason else {})


class HookRun(NamedTuple):
    """How the hooks of a scenario are run."""

    files: Sequence[str | Path]
    timeout_s: float
    fork_server: ForkServer | None = None
    rows: Sequence[str] = ()
    """The files of the feeders' rows."""
    log: Path | None = None
    """Gets what a hook prints."""
    keeps: bool = False
    """Whether what a hook has started lives on until its fork server is closed."""

    def __call__(
        self, name: Hook, url: str, data: Sequence[Any], interrupted: Callable[[], bool] = lambda: False
    ) -> dict[str, Any]:
        """The child's result (:mod:`harness.engine.scenario.hooks`). ``data`` is a list of what ``setup`` returned.

        Raises ``KeyboardInterrupt`` as soon as ``interrupted()`` is true, and :class:`HarnessError` if there is none.
        """
        files = [*map(str, self.files)]
        options = {"hook": name, "files": files, "url": url, "data": data, "rows": self.rows}

        def keep(text: str) -> None:
            if self.log is not None and text:
                now = time.strftime("%Y-%m-%d %H:%M:%S,000")
                with self.log.open("a", encoding="utf-8") as log:
                    log.writelines(f"{now} {name} INFO scenario: {line}\n" for line in redacted(text).splitlines())

        return run_child(
            self.fork_server, HOOK, Path(files[0]), self.timeout_s, interrupted, keep, keeps=self.keeps, **options
        )


def verify_target(
    run: HookRun, url: str, data: Sequence[Any] = (None,), interrupted: Callable[[], bool] = lambda: False
) -> Verification:
    """Run the scenario's ``verify``. It is ended as soon as ``interrupted()`` is true."""
    begun = time.monotonic()
    try:
        result = run("verify", url, data, interrupted)
    except KeyboardInterrupt:
        return Verification("interrupted", message("verify-interrupted"), time.monotonic() - begun)
    except HarnessError as error:
        return Verification("error", error.reason(), time.monotonic() - begun)
    reason = result["reason"]
    return Verification(result["status"], reason and Message.from_data(reason), result["duration_s"], result["checks"])


class Hooks:
    """The hooks around one load: a context manager that tears down what ``setup`` has made, however the load ends.

    Each of the ``targets`` is set up and torn down by itself. ``rows`` are the files of the feeders' rows; what hooks
    print goes to ``log``.
    """

    def __init__(
        self,
        plan: RunPlan,
        targets: Sequence[Target],
        load: LoadProcesses,
        faults: Faults,
        interrupts: Interrupts,
        notify: Callable[[Message], None],
        fork_server: ForkServer,
        rows: Sequence[str],
        log: Path,
    ) -> None:
        self._scenario = plan.scenario
        self._urls = [target.url for target in targets]
        self._load = load
        self._faults = faults
        self._interrupts = interrupts
        self._notify = notify
        self._run = HookRun(plan.scenario.locustfiles, plan.hook_timeout_s, fork_server, rows, log)
        self.data: list[Any] = [None] * len(targets)
        """What ``setup`` returned for each target."""
        self._is_to_tear_down = False
        self._kept: ForkServer | None = None
        """Has what ``setup`` has started and left running for the load."""

    def set_up(self) -> None:
        """Run ``setup``.

        Raises :class:`HarnessError` if it fails, ``KeyboardInterrupt`` if the user does not wait.
        """
        self._is_to_tear_down = self._scenario.has_teardown
        if not self._scenario.has_setup:
            return
        self._notify(message("run-setting-up"))
        # With a fork server of its own: the other one ends what any hook leaves behind.
        self._kept = ForkServer()
        run = self._run._replace(fork_server=self._kept, keeps=True)
        for number, url in enumerate(self._urls):
            try:
                result = run("setup", url, [], lambda: self._interrupts.count > 0)
            except HarnessError as error:
                raise _failed(self._scenario.path, error.reason()) from error
            if result["status"] != "pass":
                raise _failed(self._scenario.path, Message.from_data(result["reason"]))
            self.data[number] = result["data"]
        if not self._kept.has_strays():
            self._end_kept()

    def verify(self) -> Verification | None:
        """Check the last target's invariants; None if the scenario states none."""
        if not self._scenario.has_verify:
            return None
        self._notify(message("run-verifying"))
        return verify_target(self._run, self._urls[-1], self.data[-1:], self._again_interrupted())

    def tear_down(self) -> list[Message]:
        """Run ``teardown``, once, if ``setup`` was due, and end what that has left running.

        Returns warnings: what it does not do changes no verdict.
        """
        is_due, self._is_to_tear_down = self._is_to_tear_down, False
        try:
            return self._torn_down() if is_due else []
        finally:
            self._end_kept()

    def _torn_down(self) -> list[Message]:
        self._notify(message("run-tearing-down"))
        warnings = []
        for url, data in zip(self._urls, self.data, strict=True):
            try:
                result = self._run("teardown", url, [data], self._again_interrupted())
            except KeyboardInterrupt:
                warnings.append(message("teardown-interrupted"))
            except HarnessError as error:
                warnings.append(message("teardown-failed", reason=error.reason()))
            else:
                if result["status"] != "pass":
                    warnings.append(message("teardown-failed", reason=Message.from_data(result["reason"])))
        return [warning.map_texts(redacted) for warning in warnings]

    def _end_kept(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _again_interrupted(self) -> Callable[[], bool]:
        before = self._interrupts.count
        return lambda: self._interrupts.count > before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is not None:  # teardown is not for a target that is under load, or broken on purpose
                self._load.kill()
                self._load.end()
                self._faults.end()
                self._faults.wait(lambda: self._interrupts.count > 2)
            for warning in self.tear_down():
                self._notify(warning)
        finally:
            self._end_kept()


def _failed(scenario: str, reason: Message) -> HarnessError:
    """``setup`` has failed, by what its child or the harness says of it."""
    where = str(reason.params.get("location") or scenario)
    reason = reason.map_texts(redacted)
    match reason.code:
        case "hook-raised":
            return HarnessError("setup-raised", where=where, exit_code=ExitCode.BROKEN, error=reason.params["error"])
        case "scenario-timeout":
            timeout_s = reason.params["timeout_s"]
            setting = Option("set", "hook_timeout=5m")
            return HarnessError(
                "setup-timeout", where=where, exit_code=ExitCode.BROKEN, timeout_s=timeout_s, option=setting
            )
    return HarnessError("setup-failed", where=where, exit_code=ExitCode.BROKEN, reason=reason)
