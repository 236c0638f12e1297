"""What a scenario's ``setup`` returned, in the processes that may read it."""

from __future__ import annotations

from typing import Any

from harness.errors import HarnessError

_MISSING = object()
_data: Any = _MISSING


def keep(data: Any) -> None:
    """From now on, :func:`setup_data` returns this."""
    global _data
    _data = data


def setup_data() -> Any:
    """What the scenario's ``setup`` returned; None if it has no ``setup``, or ``setup`` failed.

    For users, ``verify``, ``teardown`` and listeners. All users of a worker get the same object, so do not change it.
    Raises :class:`HarnessError` before ``setup`` has run: while the scenario is first imported, and in ``setup``.
    """
    if _data is _MISSING:
        raise HarnessError("setup-data-too-early")
    return _data
