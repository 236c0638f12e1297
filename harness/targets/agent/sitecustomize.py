"""Python imports this at its start in every process of a managed target: it opens the process to the samplers.

It starts the memory agent, lets py-spy look in where the system would forbid it, and steps aside.

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


def _let_profilers_look() -> None:
    """Where only a parent may trace (Yama's scope 1, the rule on Ubuntu and Debian), allow this process's own user to.

    See ``Documentation/admin-guide/LSM/Yama.rst`` of Linux: ``PR_SET_PTRACER`` with ``PR_SET_PTRACER_ANY``.
    """
    with contextlib.suppress(Exception):  # py-spy is then refused, which the harness notes with what to do
        if Path("/proc/sys/kernel/yama/ptrace_scope").read_text() == "1\n":
            import ctypes

            ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)


def _run_the_targets_own() -> None:
    # This folder has done its duty: the target's imports shall not find it. Its children still inherit PYTHONPATH.
    sys.path[:] = [entry for entry in sys.path if entry != _HERE]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_start_agent()
_let_profilers_look()
_run_the_targets_own()
