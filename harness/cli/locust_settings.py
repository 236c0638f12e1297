"""What Locust reads from options, variables and files, and the harness does not."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from harness.messages import Message, Option, message

_LEAVE_OUT, _RESULTS = message("leave-out"), message("results-in-run-folder")
_DISTRIBUTED = message("locust-distributed", bind=Option("bind", "ADDR"))
INSTEAD: dict[str, Message] = {
    **dict.fromkeys(("--master", "--master-bind-host", "--master-bind-port", "--enable-rebalancing"), _DISTRIBUTED),
    **dict.fromkeys(("--worker", "--master-host", "--master-port", "--slave"), _DISTRIBUTED),
    **dict.fromkeys(("--expect-slaves", "--expect-workers-max-wait"), _DISTRIBUTED),
    **dict.fromkeys(("--csv", "--csv-full-history", "--html", "--json-file", "--print-stats"), _RESULTS),
    **dict.fromkeys(("--only-summary", "--reset-stats", "--show-task-ratio", "--list", "-l"), _RESULTS),
    "--show-task-ratio-json": _RESULTS,
    **dict.fromkeys(("--autostart", "--autoquit", "--headful", "--class-picker", "--build-path"), _LEAVE_OUT),
    **dict.fromkeys(("--web-host", "--web-host-display-name", "--web-port", "-P", "--web-base-path"), _LEAVE_OUT),
    **dict.fromkeys(("--web-auth", "--web-login", "--tls-cert", "--tls-key", "--legacy-ui"), _LEAVE_OUT),
    **dict.fromkeys(("--config-users", "--equal-weights", "--otel", "--version", "-V"), _LEAVE_OUT),
    **dict.fromkeys(("--loglevel", "-L", "--logfile", "--skip-log-setup"), message("locust-log")),
    **dict.fromkeys(("--stop-timeout", "-s"), message("use-instead", option=Option("set", "stop_timeout=10s"))),
    "--processes": message("use-instead", option=Option("workers", "N")),
    "--exit-code-on-error": message("locust-exit-code"),
    "--config": message("locust-config"),
}
"""What Locust's options are here, by the name that Locust's users type."""
_LOAD_AND_TARGET = ("host", "users", "spawn_rate", "run_time", "tags", "exclude_tags")
"""Options of both, which Locust also takes from a variable (LOCUST_HOST) or a configuration file."""
_FILES = ("~/.locust.conf", "locust.conf", "pyproject.toml")
_OTHER_VARIABLES = """
    AUTOQUIT AUTOSTART BUILD_PATH CONFIG_USERS CSV CSV_FULL_HISTORY ENABLE_OPENTELEMETRY EXIT_CODE_ON_ERROR
    EXPECT_WORKERS EXPECT_WORKERS_MAX_WAIT HEADFUL HTML LEGACY_UI LOCUSTFILE LOGFILE LOGLEVEL MASTER_BIND_HOST
    MASTER_BIND_PORT MASTER_NODE_HOST MASTER_NODE_PORT MODE_MASTER MODE_WORKER ONLY_SUMMARY PRINT_STATS PROCESSES
    RESET_STATS SKIP_LOG_SETUP STOP_TIMEOUT TLS_CERT TLS_KEY USERCLASS_PICKER WEB_AUTH WEB_BASE_PATH WEB_HOST
    WEB_HOST_DISPLAY_NAME WEB_LOGIN WEB_PORT
"""
"""Not every name with the prefix: a Locust file may have its own variables. HEADLESS is what every run is."""


def ignored(given: Mapping[str, object]) -> Iterator[Message]:
    """What Locust would read of variables and files, unless the command line sets it: it wins in Locust, too."""
    names = [name for name in _LOAD_AND_TARGET if not given[name]]
    settings = [(variable, name) for name in names if (variable := f"LOCUST_{name.upper()}") in os.environ]
    for file in _FILES:
        keys = _keys(Path(file).expanduser())
        settings += [(f"{name.replace('_', '-')} in {file}", name) for name in names if name in keys]
    for setting, name in settings:
        yield message("locust-setting-ignored", setting=setting, option=Option(name))
    if others := [variable for name in _OTHER_VARIABLES.split() if (variable := f"LOCUST_{name}") in os.environ]:
        yield message("locust-variables-ignored", variables=others)


def _keys(file: Path) -> set[str]:
    """What a file sets for Locust; nothing if it is not there or damaged."""
    with suppress(OSError, ValueError, RecursionError, LookupError, TypeError):
        text = file.read_text(encoding="utf-8")
        is_toml = file.suffix == ".toml"
        keys = tomllib.loads(text)["tool"]["locust"] if is_toml else re.findall(r"^\s*(?:--)?([\w-]+)", text, re.M)
        return {key.replace("-", "_") for key in keys}
    return set()
