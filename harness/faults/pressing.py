"""Uses up cores, memory or disk: ``python -I -S pressing.py KIND JSON``, until standard input ends.

It begins with the first line on standard input, since it may be put into a control group before, and prints ``ready``
once it has all that it is to have, or why it cannot. It ends with whoever started it, and all that it used is free
then: the kernel closes its file, which has no name. It imports next to nothing.
"""

import json
import mmap
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

_SLICE_S = 0.02
"""Of which the share is busy."""
_CHUNK = 32 << 20
_BLOCK = 1 << 20
_WATCH_S = 0.2
_LONGEST_S = 1.0
"""How long others wait for memory to be filled. Much of it takes longer than the fault may last."""


def burn(share: float) -> None:
    """Keep a core busy for that share of the time."""
    say("ready")
    while True:
        ends_s = time.monotonic() + share * _SLICE_S
        while time.monotonic() < ends_s:
            pass
        if share < 1:
            time.sleep((1 - share) * _SLICE_S)


def hold_memory(size: int, floor: int) -> None:
    """Hold this many bytes, but release some whenever less than ``floor`` is available to others.

    The kernel kills this process first if memory runs out all the same.
    """
    Path("/proc/self/oom_score_adj").write_text("1000")
    block = os.urandom(_BLOCK)  # nothing that could be compressed
    held: list[mmap.mmap] = []
    ready_s: float | None = time.monotonic() + _LONGEST_S
    while True:
        free = available()
        grows = len(held) * _CHUNK < size and free > floor + 2 * _CHUNK
        if grows:
            held.append(_filled(min(_CHUNK, size - len(held) * _CHUNK), block))
        elif free < floor and held:
            held.pop().close()
        if ready_s is not None and (not grows or time.monotonic() > ready_s):
            ready_s = None
            say("ready")
        if not grows:
            time.sleep(_WATCH_S)


def _filled(size: int, block: bytes) -> mmap.mmap:
    memory = mmap.mmap(-1, size)
    for start in range(0, size, _BLOCK):
        memory[start : start + _BLOCK] = block[: size - start]
    return memory


def available() -> int:
    """Bytes that the machine can give without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def fill_disk(folder: str, size: int) -> None:
    """Take this many bytes of the disk that holds ``folder``."""
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)
        say("ready")
        threading.Event().wait()


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


KINDS: dict[str, Callable[..., None]] = {"cpu": burn, "memory": hold_memory, "disk": fill_disk}


def _main() -> None:
    kind, settings = sys.argv[1:]
    if not sys.stdin.readline():  # the process that started it has ended
        return

    def work() -> None:
        try:
            KINDS[kind](**json.loads(settings))
        except (OSError, MemoryError) as error:
            say(getattr(error, "strerror", None) or "out of memory")
            os._exit(1)

    threading.Thread(target=work, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    _main()
