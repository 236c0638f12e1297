"""The logs that other processes have written by themselves, masked when all of them have ended.

Why not while the target writes: lines that hold a secret's name take a quarter of a second a megabyte. That would be
taken from the machine while it is measured, and a target that writes more than it allows would have to wait.
"""

from __future__ import annotations

from pathlib import Path

from harness.control.interrupts import Interrupts
from harness.control.observer import RunObserver
from harness.record.redacted_lines import redact_file
from harness.record.run_folder import RunFolder

_LONG = 20_000_000
"""Bytes that take a second or more: it is said what is waited for."""


def redact_logs(folder: RunFolder, observer: RunObserver) -> dict[str, str]:
    """Mask ``target.log`` and ``harness.log``, each whatever became of the other; by the name of one that could not
    be: that it is as it was, and why, as a person reads it.
    """
    unredacted: dict[str, str] = {}
    for log in (folder.target_log, folder.log):
        try:
            why = None if _is_masked(log, observer) else "interrupted"
        except OSError as fault:
            why = fault.strerror or str(fault)
        if why is not None:
            unredacted[log.name] = f"{log.name} is not masked, and secrets may stand in it: {why}"
            observer.say(unredacted[log.name])
    return unredacted


def _is_masked(log: Path, observer: RunObserver) -> bool:
    """Mask it, and count the signals meanwhile: the first might have been meant for what came before; the second one
    leaves it as it is.
    """
    told = False

    def stopped() -> bool:
        nonlocal told
        if interrupts.count and not told:
            told = True
            observer.say(f"{log.name} is still being masked (again: leave it unmasked)")
        return interrupts.count > 1

    with Interrupts() as interrupts:
        if log.is_file() and log.stat().st_size > _LONG:
            observer.say(f"masking {log.name} ({log.stat().st_size / 1e6:,.0f} MB)")
        return redact_file(log, stopped=stopped)
