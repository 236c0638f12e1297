"""The process that carries out faults, and the one that watches over it: ``-m harness.faults``.

The harness starts it in its own session and sends orders (:mod:`harness.faults.orders`). It forks a child that carries
them out. When the harness has ended (end of file, also after SIGKILL), the child undoes everything and ends. If the
child is killed, this process forks another one, which undoes what the log shows as begun. If this process is killed,
the child continues. Nothing else could undo a fault: ``plan.json`` has no secrets, and the target's supervisor cannot
continue a stopped process that is not its child.
"""

from __future__ import annotations

import os
import signal
import sys

from harness.faults.carrying_out import CarryingOut
from harness.faults.orders import Setup
from harness.open_files import allow_many_files

_ATTEMPTS = 20
_FIRST = 0


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)  # not SIG_IGN: commands would inherit that
    allow_many_files()  # each connection that fills a database takes one
    # Unbuffered, so that no line is lost with a child that has read more than it has followed.
    orders = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115  (a descriptor, for as long as we live)
    line = orders.readline()
    if not line:  # the harness has ended
        return
    setup = Setup.model_validate_json(line)
    kept = os.memfd_create("place")
    for attempt in range(_ATTEMPTS):
        child = os.fork()
        if child == 0:
            carrying_out = CarryingOut(setup, 1, kept)
            if setup.undo or attempt > _FIRST:
                carrying_out.undo_left_open()
            carrying_out.follow(orders)
            return
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) >= 0:
            return
    sys.exit(1)


if __name__ == "__main__":
    main()
