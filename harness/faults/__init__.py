"""What may be broken on purpose. A new kind is a file here and a line in :data:`FAULTS`."""

from __future__ import annotations

from harness.faults.command import CommandFault
from harness.faults.dependency import DependencyFault
from harness.faults.fault import Fault
from harness.faults.network import NetworkFault
from harness.faults.place import Place, TargetPlace
from harness.faults.pressure import PressureFault
from harness.faults.process import ProcessFault

FAULTS: dict[str, type[Fault]] = {
    "process": ProcessFault,
    "command": CommandFault,
    "network": NetworkFault,
    "dependency": DependencyFault,
    "pressure": PressureFault,
}
"""By the ``kind`` that a user writes."""

__all__ = ["FAULTS", "Fault", "Place", "TargetPlace"]
