"""What the harness uses of Locust beyond its documented interface is still there, and only ``engine/locust`` uses it.

After an update of Locust, the test that fails names what has changed. If all pass, and so do the integration tests of
``engine``, raise the upper bound in ``pyproject.toml``.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest

from tests.support.command import REPOSITORY

ENGINE_LOCUST = REPOSITORY / "harness/engine/locust"

CALLED_OR_REPLACED = {
    "locust.argument_parser:LocustArgumentParser.get_source_to_settings_dict": "self",
    "locust.argument_parser:default_args_dict": "",
    "locust.argument_parser:get_empty_argument_parser": "add_help, default_config_files",
    "locust.argument_parser:get_parser": "default_config_files",
    "locust.argument_parser:setup_parser_arguments": "parser",
    "locust.clients:HttpSession._build_url": "self, path",
    "locust.clients:HttpSession.request": "self, method, url, name",
    "locust.clients:ResponseContextManager.__exit__": "self, exc, value, traceback",
    "locust.clients:ResponseContextManager._report_request": "self",
    "locust.contrib.fasthttp:FastHttpSession._build_url": "self, path",
    "locust.contrib.fasthttp:FastHttpSession.request": "self, method, url, name",
    "locust.contrib.fasthttp:ResponseContextManager.__exit__": "self, exc, value, traceback",
    "locust.contrib.fasthttp:ResponseContextManager._report_request": "self",
    "locust.dispatch:UsersDispatcher.remove_worker": "self, worker_node",
    "locust.env:Environment._create_runner": "self, runner_class, args",
    "locust.env:Environment._filter_tasks_by_tags": "self",
    "locust.rpc:Message": "message_type, data, node_id",
    "locust.rpc:Message.serialize": "self",
    "locust.rpc:Message.unserialize": "data",
    "locust.runners:MasterRunner.client_listener": "self",
    "locust.runners:MasterRunner.handle_message": "self, client_id, msg",
    "locust.runners:MasterRunner.heartbeat_worker": "self",
    "locust.runners:MasterRunner.quit": "self",
    "locust.runners:MasterRunner.start": "self, user_count, spawn_rate, wait, user_classes",
    "locust.runners:MasterRunner.stop": "self, send_stop_to_client",
    "locust.runners:Runner.spawn_users": "self, user_classes_spawn_count, wait",
    "locust.runners:Runner.update_state": "self, new_state",
    "locust.runners:WorkerRunner._send_stats": "self",
    "locust.runners:WorkerRunner.handle_message": "self, msg",
    "locust.runners:WorkerRunner.heartbeat": "self",
    "locust.runners:WorkerRunner.heartbeat_timeout_checker": "self",
    "locust.runners:WorkerRunner.quit": "self",
    "locust.runners:WorkerRunner.stop": "self",
    "locust.runners:WorkerRunner.worker": "self",
    "locust.runners:rpc.Client": "host, port, identity",
    "locust.runners:rpc.Server": "host, port",
    "locust.stats:RequestStats": "use_response_times_cache",
    "locust.stats:setup_distributed_stats_event_listeners": "events, stats",
    "locust.user.task:DefaultTaskSet.execute_task": "self, task",
    "locust.user.task:DefaultTaskSet.get_next_task": "self",
    "locust.user.task:TaskSet._sleep": "self, seconds",
    "locust.user.task:TaskSet.execute_task": "self, task",
    "locust.user.task:TaskSet.get_next_task": "self",
    "locust.user.task:TaskSet.wait": "self",
    "locust.user.task:TaskSet.wait_time": "self",
    "locust.user.task:get_tasks_from_base_classes": "bases, class_dict",
    "locust.user.users:User.stop": "self, force",
    "locust.user.users:get_tasks_from_base_classes": "bases, class_dict",
    "locust.util.load_locustfile:is_shape_class": "item",
    "locust.util.load_locustfile:is_user_class": "item",
    "locust.util.load_locustfile:load_locustfile": "path",
    "locust.util.load_locustfile:load_locustfile_pytest": "path",
}
"""By place: the names of the first parameters."""

WRITTEN_THERE = {
    "locust.clients:HttpSession": ["self.request_event", "self.request_name"],
    "locust.clients:ResponseContextManager": ["self._manual_result", "self.request_meta"],
    "locust.contrib.fasthttp:FastHttpSession": ["self.request_event", "self.request_name"],
    "locust.contrib.fasthttp:ResponseContextManager": ["self._manual_result", "self.request_meta"],
    "locust.dispatch:UsersDispatcher": ["def dispatch_in_progress"],
    "locust.env": ["\nfrom .web import WebUI\n", "self.web_ui = WebUI("],
    "locust.event:EventHook": ["self._handlers = []", "Uncaught exception in event handler"],
    "locust.log": ["unhandled_greenlet_exception = ", "Unhandled exception in greenlet"],
    "locust.runners": ["\nfrom .rpc import ", "Uncaught exception in handler for"],
    "locust.runners:MasterRunner": ["self.clients = ", "self.server = rpc.Server(", "self._users_dispatcher"],
    "locust.runners:Runner": [
        "def on_request(",
        "self.greenlet = ",
        "self.user_greenlets = ",
        "self.target_user_count",
        "caller = inspect.getframeinfo(inspect.stack()",
        "couldn't determine where stop() was called from",
    ],
    "locust.runners:WorkerNode": ["self.state", "self.cpu_usage", "self.memory_usage", "self.user_classes_count"],
    "locust.runners:WorkerNodes": ["def all(", "def ready(", "def spawning("],
    "locust.runners:WorkerRunner": [
        "def on_user_error(",
        "rpc.Client(",
        "self.client_id = ",
        "self.last_received_spawn_timestamp",
        "self.worker_index",
        "self.worker_state",
    ],
    "locust.user.task:TaskSet": ["self._user = ", "self.user._state"],
    "locust.user.task": ["LOCUST_STATE_RUNNING, LOCUST_STATE_WAITING, LOCUST_STATE_STOPPING = "],
    "locust.user.users:User": ["self._state: ", "def greenlet(", "def group("],
}
"""By place: attributes that instances have, names, and the beginnings of log lines."""

DOCUMENTED = {
    "locust",
    "locust.contrib.fasthttp",
    "locust.env",
    "locust.exception",
    "locust.user.users",
}
"""Modules that others than ``engine/locust`` may import from."""


@pytest.mark.parametrize("place", CALLED_OR_REPLACED)
def test_locust_still_has_what_is_called_or_replaced(place: str) -> None:
    parameters = CALLED_OR_REPLACED[place]
    known = ", ".join(inspect.signature(resolve_name(place)).parameters)
    assert f"{known}, ".startswith(f"{parameters}, " if parameters else "")


@pytest.mark.parametrize(
    ("place", "text"), [(place, text) for place, texts in WRITTEN_THERE.items() for text in texts], ids=str.strip
)
def test_locust_still_has_the_attribute_or_log_line(place: str, text: str) -> None:
    assert text in inspect.getsource(resolve_name(place))


def locust_imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module)


@pytest.mark.slow
def test_only_engine_locust_imports_undocumented_modules() -> None:
    undocumented = {
        f"{file.relative_to(REPOSITORY)}: {module}"
        for file in (REPOSITORY / "harness").rglob("*.py")
        if not file.is_relative_to(ENGINE_LOCUST)
        for module in locust_imports(file)
        if module.partition(".")[0] == "locust" and module not in DOCUMENTED
    }
    assert undocumented == set()
