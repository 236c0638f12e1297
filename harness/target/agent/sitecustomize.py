"""Python imports this at its start in every process of a managed target: it starts the memory agent, and steps aside.

Whatever fails here must not touch the target: the agent is then not there, and the harness notes that. A
``sitecustomize`` that the target brings itself runs as it would have without this one.
"""

from __future__ import annotations

import contextlib
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_HERE = str(Path(__file__).parent)


def _start_agent() -> None:
    # Any failure means: no agent in this process. The harness sees that there is none, and says so.
    with contextlib.suppress(Exception):
        spec = spec_from_file_location("_harness_memory_agent", f"{_HERE}/_harness_memory_agent.py")
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            module.start()


def _run_the_targets_own() -> None:
    # This folder has done its duty: the target's imports shall not find it. Its children still inherit PYTHONPATH.
    sys.path[:] = [entry for entry in sys.path if entry != _HERE]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_start_agent()
_run_the_targets_own()
