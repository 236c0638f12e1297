"""One run or bench from plan to verdict. Modules load when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.quick_start import lazy_modules

if TYPE_CHECKING:
    from harness.control import bench as bench
    from harness.control import calibration as calibration
    from harness.control import contract as contract
    from harness.control import finalize as finalize
    from harness.control import interrupts as interrupts
    from harness.control import measured_runs as measured_runs
    from harness.control import metrics as metrics
    from harness.control import observer as observer
    from harness.control import prune as prune
    from harness.control import remote_worker as remote_worker
    from harness.control import run as run
    from harness.control import run_lookup as run_lookup
    from harness.control import user_code as user_code

__getattr__ = lazy_modules(__name__)
