"""Machines for tests, each with an address: network namespaces on a bridge, with other clocks.

The namespaces have no names: the kernel removes each with its last process, and those end with the test process,
however that ends. Needs root and iproute2; where they may not be made the test is skipped, in CI it fails.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.children import dying_with_the_tests, wait_until
from tests.support.requirements import not_met, require_program

_SUBNET = "10.177.0"


class Machine:
    """One of them. ``clock_s`` is by how many seconds its monotonic clock, counted from its start, is ahead of ours."""

    def __init__(self, number: int, clock_s: int) -> None:
        self.address = f"{_SUBNET}.{number}"
        self.port = f"port{number}"
        self._clock_s = clock_s
        self.keeper = _keep_namespace()

    def command(self, *words: str) -> list[str]:
        """What runs ``words`` on this machine."""
        on_its_clock = ["unshare", "--time", "--monotonic", str(self._clock_s), "--kill-child", "--fork", "--"]
        return ["nsenter", "-t", str(self.keeper.pid), "-n", "--", *(on_its_clock if self._clock_s else []), *words]

    def processes(self) -> list[str]:
        """The command lines of all that runs on it."""
        own = Path(f"/proc/{self.keeper.pid}/ns/net").stat().st_ino
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                there = folder.joinpath("ns", "net").stat().st_ino == own
                command = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # it has just ended
                continue
            if there and command and int(folder.name) != self.keeper.pid:
                found.append(command)
        return found


class Network:
    """Machines that reach one another over a bridge."""

    def __init__(self, clocks_s: list[int]) -> None:
        self._bridge = _keep_namespace()
        self.machines = [Machine(number + 1, clock_s) for number, clock_s in enumerate(clocks_s)]
        self._on_bridge("link", "add", "bridge0", "type", "bridge")
        self._on_bridge("link", "set", "bridge0", "up")
        for machine in self.machines:
            there = ["nsenter", "-t", str(machine.keeper.pid), "-n", "--", "ip"]
            peer = ["peer", "name", "eth0", "netns", str(machine.keeper.pid)]
            self._on_bridge("link", "add", machine.port, "type", "veth", *peer)
            self._on_bridge("link", "set", machine.port, "master", "bridge0", "up")
            for words in (
                ["link", "set", "lo", "up"],
                ["address", "add", f"{machine.address}/24", "dev", "eth0"],
                ["link", "set", "eth0", "up"],
            ):
                subprocess.run([*there, *words], check=True)

    def cut_off(self, machine: Machine) -> None:
        """Cut the machine off: from now on, no packet is sent or received."""
        self._on_bridge("link", "set", machine.port, "down")

    def _on_bridge(self, *words: str) -> None:
        subprocess.run(["nsenter", "-t", str(self._bridge.pid), "-n", "--", "ip", *words], check=True)

    def end(self) -> None:
        """End what keeps the namespaces."""
        for keeper in (self._bridge, *(machine.keeper for machine in self.machines)):
            keeper.kill()
            keeper.wait()


@contextmanager
def network(clocks_s: list[int]) -> Iterator[Network]:
    """A network of one machine for each clock."""
    require_program("ip", "iproute2")
    probe = subprocess.run(["unshare", "--net", "--time", "--fork", "true"], capture_output=True, text=True)
    if probe.returncode:
        not_met(f"namespaces may not be made here: {probe.stderr.strip()}")
    made = Network(clocks_s)
    try:
        yield made
    finally:
        made.end()


def _keep_namespace() -> subprocess.Popen[bytes]:
    """A process in a network namespace of its own, which lasts as long as it."""
    keeper = subprocess.Popen(dying_with_the_tests(["unshare", "--net", "sleep", "infinity"]))
    here = Path("/proc/self/ns/net").stat().st_ino
    wait_until(lambda: Path(f"/proc/{keeper.pid}/ns/net").stat().st_ino != here, what="a network namespace")
    return keeper
