"""The process of a load worker: runs users under Locust's ``WorkerRunner``.

Once the target is ready, a line on standard input has its URL, the master's address and what ``setup`` returned. If it
ends early, its last line on standard error says why.
"""

from __future__ import annotations

import json
import logging
import random
import sys
from argparse import Namespace
from pathlib import Path

from gevent import GreenletExit

from harness.cluster.secret import Keys
from harness.engine import setup_data
from harness.engine.clones import end_clone
from harness.engine.dealing import feed_worker
from harness.engine.detour import redirect_to_proxy
from harness.engine.feeder import open_feeders
from harness.engine.host_guard import install_guard
from harness.engine.load_worker import LoadWorker
from harness.engine.locust.environment import create_runner, make_environment
from harness.engine.locust.listeners import ListenerError, fire_init, fire_quit
from harness.engine.locust.patches import shuffle_tasks
from harness.engine.locust.runners import LoadWorkerRunner
from harness.engine.locust.secure_sockets import use_keys
from harness.engine.locust.stats import drop_stats, reads_stats
from harness.engine.pacing.task_shuffler import TaskShufflers
from harness.engine.process_setup import set_up_load_process
from harness.engine.response_sampler import ResponseSampler
from harness.engine.scenario.child_result import locate
from harness.engine.scenario.scenario_file import load_scenario

logger = logging.getLogger(__name__)


def main(given: Namespace) -> None:
    """The worker process. Its options: ``plan`` (JSON) and ``keys`` (hexadecimal) of the run, and ``index``."""
    plan = set_up_load_process("worker", given.plan, given.index)
    start = json.loads(sys.stdin.readline())
    setup_data.keep(start["data"])
    target = start["target"]
    # Both builds of a duet get the same random numbers, and with them the same tasks and data.
    number = given.index // len(plan.targets)
    is_duet, plan = plan.is_duet, plan.of_target(plan.target_of(given.index))
    use_keys(Keys.of(bytes.fromhex(given.keys)))
    random.seed(f"{plan.seed}:{number}")
    guarding = install_guard(plan, target, given.index)
    if start.get("through") is not None:
        redirect_to_proxy(target, tuple(start["through"]))
    try:
        scenario = load_scenario(plan.scenario.locustfiles)
        opened = open_feeders(start["feeders"])
    except (Exception, SystemExit) as error:  # user code may raise anything
        logger.exception("the scenario cannot be imported")
        raised = locate(error, Path(plan.scenario.path))
        sys.exit(f"{raised.location}: {raised.error}")
    environment = make_environment(scenario, plan, host=target)
    shuffle_tasks(TaskShufflers(f"{plan.seed}:{number}"))
    runner = create_runner(environment, LoadWorkerRunner, *start["master"])
    runner.keeps_host = is_duet
    if not reads_stats(scenario):
        drop_stats(environment)
    traces = plan.sampling.traces
    shares = None if traces is None else [traces.share_in(phase.kind) for phase in plan.phases]
    contract, sampler = plan.contract, None
    if contract is not None and contract.openapi is not None:
        sampler = ResponseSampler(contract.sample, plan.all_workers)
    worker = LoadWorker(environment, runner, given.index, guarding, scenario.modules, shares, sampler)
    try:
        fire_init(environment)
        end_clone()
        worker.join()
        feed_worker(runner, given.index, f"{plan.seed}:{number}", opened)
        worker.run()
    except ListenerError as error:
        sys.exit(str(error))
    except (KeyboardInterrupt, GreenletExit):
        logger.info("interrupted")
    environment.events.quitting.fire(environment=environment, reverse=True)
    fire_quit(environment)
    sys.exit(worker.exit_code)
