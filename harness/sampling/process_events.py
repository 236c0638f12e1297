"""Which processes of the target start and end during the load, and how they ended."""

from __future__ import annotations

import threading
import time

from harness import steady_clock
from harness.messages import message
from harness.record.process_events import PROCESS_EVENTS, ProcessEvent
from harness.record.profiles import Profile
from harness.sampling.exit_watch import ExitWatch
from harness.sampling.process_tree import process_trees, program_of
from harness.sampling.sampler import PID_UNKNOWN, During, Sampler, SamplerKind, SamplingContext
from harness.sampling.tree_clock import parent_of
from harness.targets.kernel_log import OutOfMemoryWatch
from harness.targets.log_tail import last_lines
from harness.targets.target import Target

_LOOK_EVERY_S = 1.0
_LAST_WORDS_S = 0.3
"""How long after its end a process's last output may come through the pipe."""
_ROOT_ENDS_S = 2.0
_SIGKILL = -9


class ProcessEventSampler(Sampler):
    """Writes the file ``processes``. Ends are seen at once, starts every second."""

    def __init__(self, context: SamplingContext) -> None:
        super().__init__()
        self._writer = PROCESS_EVENTS.writer(context.folder.processes)
        self._targets = [(variant, target) for variant, target in context.targets if target.pid is not None]
        self._folder = context.folder
        self._watch = ExitWatch()
        self._known: dict[int, tuple[str, Target, bool]] = {}
        """With whether it is the first process of its target."""
        self._memory = {variant: OutOfMemoryWatch(target.pid or 0) for variant, target in self._targets}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> list[Profile]:
        self._over.set()
        self._watch.wake()
        self._thread.join()
        self._writer.close()
        return []

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._look()
                due_s = time.monotonic() + _LOOK_EVERY_S
                while not self._over.is_set() and (left_s := due_s - time.monotonic()) > 0:
                    self._note_ends(left_s)
            self._note_ends(0.0)
        except OSError as error:
            self.note(message("sampler-failed", sampler="processes", error=type(error).__name__, reason=str(error)))
        finally:
            self._watch.close()

    def _look(self) -> None:
        """Note the processes that have started."""
        now_s = steady_clock.now_s()
        roots = [target.pid or 0 for _, target in self._targets]  # a fault may have started one again
        for (variant, target), root, tree in zip(self._targets, roots, process_trees(*roots), strict=True):
            for pid in tree:
                if pid not in self._watch and self._watch.add(pid):
                    self._known[pid] = variant, target, pid == root
                    parent, name = parent_of(pid) or 0, program_of(pid)
                    self._writer.write(ProcessEvent(now_s, "started", pid, parent, name, pid == root, variant))

    def _note_ends(self, timeout_s: float) -> None:
        ended = self._watch.ended(timeout_s)
        now_s = steady_clock.now_s()
        if ended:
            time.sleep(_LAST_WORDS_S)
        for pid, status in ended:
            variant, target, is_root = self._known.pop(pid)
            if is_root and target.managed:  # its supervisor knows, and has written its last words by then
                deadline_s = time.monotonic() + _ROOT_ENDS_S
                while target.pid == pid and target.exit_status() is None and time.monotonic() < deadline_s:
                    time.sleep(0.02)
                status = target.exit_status() if status is None and target.pid == pid else status
            out_of_memory = status in (_SIGKILL, None) and self._memory[variant].killed(pid)
            lines = last_lines(self._folder.target_log_of(variant))
            self._writer.write(
                ProcessEvent(
                    now_s,
                    "ended",
                    pid,
                    root=is_root,
                    variant=variant,
                    status=status,
                    out_of_memory=out_of_memory,
                    last_lines=lines,
                )
            )


PROCESS_STARTS_AND_ENDS = SamplerKind(
    name="processes",
    stream="processes",
    during=During.WHOLE_RUN,
    unavailable=lambda target: PID_UNKNOWN if target.pid is None else None,
    create=ProcessEventSampler,
)
