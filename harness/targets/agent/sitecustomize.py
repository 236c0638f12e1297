"""Imported by each Python process of a managed target at its start: opens it to the samplers.

It starts the agent, gives py-spy permission if the system would deny it, and removes itself from the path.

Whatever fails here must not affect the target: there is no agent then, and the harness notes that. A ``sitecustomize``
of the target's own runs as it would have without this one.
"""

from __future__ import annotations

import contextlib
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_HERE = str(Path(__file__).parent)


def _start_agent() -> None:
    # Any failure means: no agent in this process. The harness notices and reports it.
    with contextlib.suppress(Exception):
        spec = spec_from_file_location("_harness_agent", f"{_HERE}/_harness_agent.py")
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            module.start()


def _permit_profilers() -> None:
    """If only a parent may trace (Yama's scope 1, usual on Ubuntu and Debian), allow this process's own user to.

    See ``Documentation/admin-guide/LSM/Yama.rst`` of Linux: ``PR_SET_PTRACER`` with ``PR_SET_PTRACER_ANY``.
    """
    with contextlib.suppress(Exception):  # then py-spy has no permission, which the harness notes with what to do
        if Path("/proc/sys/kernel/yama/ptrace_scope").read_text() == "1\n":
            import ctypes

            ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)


def _run_the_targets_own() -> None:
    # The target's imports must not find this folder. Its children still inherit PYTHONPATH.
    sys.path[:] = [entry for entry in sys.path if entry != _HERE]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_start_agent()
_permit_profilers()
_run_the_targets_own()
