"""Keeps a process that user code forks off a load process from going on as one.

``os.fork`` in a task copies the whole worker with all its users. The copy may finish what its user code does there;
then it ends, and it ends with the process that it was forked off.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from gevent import _hub_local
from gevent.hub import Hub

from harness.prctl import die_with_parent

_is_clone = False
_outlives = False


class _CloneHub(Hub):
    """An event loop without the users of the original. It ends the process when it has nothing more to wait for."""

    def run(self) -> None:
        loop: Any = self.loop
        loop.error_handler = self
        loop.run()
        end_clone()


def watch_forks() -> None:
    """Call it once in a load process, before user code runs."""
    os.register_at_fork(after_in_child=_begin_clone)


def let_forks_outlive() -> None:
    """From now on, what is forked off may outlive this process: also the programs that user code starts."""
    global _outlives
    _outlives = True


def _begin_clone() -> None:
    global _is_clone
    _is_clone = True
    if not _outlives:
        die_with_parent()
    hub_of_thread: Any = _hub_local
    hub_of_thread.set_loop(None)
    hub_of_thread.set_hub(_CloneHub(default=False))


def end_clone() -> None:
    """End this process at once if user code has forked it off."""
    if _is_clone:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
