"""The load master's process: keeps the clock, merges what workers record, writes the journal.

It writes one JSON object a line to standard output: ``{"port": …}`` or ``{"error": …}`` first, then ``{"say": …}``,
each a message for people. The first line of standard input is a map, once the target is ready: ``target`` is its URL;
``left_out`` are the phases, by index, that are not run, as nothing would be recorded in them; ``data`` is what
``setup`` returned; ``feeders`` are the files of the feeders' rows; ``contract`` has the settings of
:mod:`harness.contracts.checker`, or null. Then come the controller's commands: ``stop REASON`` ends the run in order,
``abort`` at once; ``failed INDEX REASON`` (a message in JSON) reports that a worker of this machine has ended.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import gevent
import zmq
from gevent.fileobject import FileObjectPosix

from harness.cluster.bundle import collect
from harness.cluster.secret import Keys
from harness.engine import setup_data
from harness.engine.clones import end_clone
from harness.engine.contract_checker import ContractChecker
from harness.engine.feeder import open_feeders
from harness.engine.load_master import LoadMaster
from harness.engine.locust.environment import create_runner, make_environment
from harness.engine.locust.listeners import ListenerError, fire_init, fire_quit
from harness.engine.locust.runners import LoadMasterRunner
from harness.engine.locust.secure_sockets import use_keys
from harness.engine.locust.stats import drop_stats, reads_stats
from harness.engine.process_setup import set_up_load_process
from harness.engine.run_state import RunState
from harness.engine.scenario.child_result import claim_stdout, one_line
from harness.engine.scenario.scenario_file import load_scenario
from harness.engine.worker_registry import WorkerRegistry
from harness.messages import Message
from harness.record.frames import FrameWriter
from harness.record.journal_entries import EndReason
from harness.record.redaction import redacted

logger = logging.getLogger(__name__)


def _follow_commands(master: LoadMaster, run_state: RunState, lines: Iterable[str]) -> None:
    """Follow the controller's commands (see the module docstring)."""
    for line in lines:
        command, _, rest = line.strip().partition(" ")
        if command == "stop":
            run_state.stop(cast(EndReason, rest))
        elif command == "abort":
            master.abort()
        elif command == "failed":
            index, _, reason = rest.partition(" ")
            master.worker_failed(int(index), Message.from_data(json.loads(reason)))


def main(given: Namespace) -> None:
    """The master process. Its options: ``plan`` (JSON), ``keys`` (hexadecimal) and ``run_id`` of the run, ``journal``
    (a file), and ``host`` and ``port`` to listen on; port 0 takes any that is free.
    """
    stdout = claim_stdout()
    plan = set_up_load_process("master", given.plan)
    use_keys(Keys.of(bytes.fromhex(given.keys)))
    random.seed(plan.seed)

    def send(**line: Any) -> None:
        os.write(stdout, json.dumps(line).encode() + b"\n")

    def say(text: Message) -> None:
        send(say=text.map_texts(lambda each: redacted(one_line(each))).to_data())

    bundle = collect(plan.scenario.locustfiles, Path.cwd().resolve()) if plan.remote_workers else None
    scenario = load_scenario(plan.scenario.locustfiles)
    commands = FileObjectPosix(sys.stdin.fileno(), "r")
    start = json.loads(commands.readline())
    target, checker = start["target"], ContractChecker(start["contract"]) if start.get("contract") else None
    setup_data.keep(start["data"])
    open_feeders(start["feeders"])
    environment = make_environment(scenario, plan, host=target, is_master=True)
    try:
        runner = create_runner(environment, LoadMasterRunner, given.host, given.port)
    except zmq.ZMQError as error:
        send(error=str(error))
        sys.exit(str(error))
    if not reads_stats(scenario):
        drop_stats(environment)
    try:
        fire_init(environment)
        end_clone()
    except ListenerError as error:
        sys.exit(str(error))
    with FrameWriter(Path(given.journal)) as journal:
        registry = WorkerRegistry(runner, plan, target, bundle, say)
        run_state = RunState(journal)
        master = LoadMaster(plan, environment, runner, run_state, registry, checker)
        gevent.spawn(_follow_commands, master, run_state, commands)
        send(port=runner.server.port)
        if bundle is not None:
            say(bundle.describe())
        if checker is not None:
            checker.wait_until_ready()
        reason = master.run(given.run_id, start["left_out"])
    if checker is not None:
        checker.close()
    logger.info("the run has ended: %s", reason)
    fire_quit(environment)
    runner.greenlet.kill(block=False)
    if run_state.journal_error is not None:
        sys.exit(f"the journal cannot be written: {run_state.journal_error}")
