"""The Python API; the command line is built on the same functions. Modules load when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.quick_start import lazy_modules

if TYPE_CHECKING:
    from harness.api import bench as bench
    from harness.api import duet as duet
    from harness.api import judge as judge
    from harness.api import plain_output as plain_output
    from harness.api import result as result
    from harness.api import run as run
    from harness.api import tables as tables

__getattr__ = lazy_modules(__name__)
