"""Writes the rows of a scenario's feeders before the load, into files that load workers share.

The files have no name: nothing is left of them, however the run ends. The workers open them as
``/proc/PID/fd/N`` of this process.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, Self

from harness.control.user_code import run_child
from harness.engine.fork_server import OWN_ROWS, ForkServer
from harness.errors import HarnessError
from harness.feeders.rows import RowsWriter, Written
from harness.plan.model.scenario import FeederSource, Scenario


class Feeding:
    """A context manager with the rows of all feeders of a scenario."""

    def __init__(self, scenario: Scenario, seed: int, fork_server: ForkServer, timeout_s: float) -> None:
        """Raises :class:`HarnessError` if the rows of a feeder cannot be read, with the file and the line."""
        self._scenario = scenario
        self._fork_server = fork_server
        self._timeout_s = timeout_s
        self._files = ExitStack()
        self.paths: list[str] = []
        """Where this machine's processes read the rows of each feeder."""
        self.sources: list[FeederSource] = []
        """The feeders, with the number and the digest of their rows."""
        try:
            for number, source in enumerate(scenario.feeders):
                file: IO[bytes] = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (the stack closes it)
                self.paths.append(f"/proc/{os.getpid()}/fd/{file.fileno()}")
                shuffled_by = f"{seed}:{number}" if source.order == "shuffle" else None
                written = self._write(number, source, file, shuffled_by)
                if not written.rows:
                    raise HarnessError("feeder-empty", where=str(source.path or source.where))
                self.sources.append(source.model_copy(update=written._asdict()))
        except BaseException:  # raised again: also if the user does not wait
            with suppress(OSError):  # a full disk again
                self._files.close()
            raise

    def _write(self, number: int, source: FeederSource, file: IO[bytes], shuffled_by: str | None) -> Written:
        if source.path is None:
            return self._write_own(number, shuffled_by)
        from harness.feeders.kinds import read_rows  # only here: it brings pyarrow

        writer = RowsWriter(file)
        try:
            for row in read_rows(Path(source.path), source.where):
                writer.add(row)
            return writer.close(shuffled_by)
        except OSError as error:  # a full disk: what cannot be read, has an error of its own
            raise HarnessError("feeder-rows-not-written", where=source.path, reason=error.strerror) from error

    def _write_own(self, number: int, shuffled_by: str | None) -> Written:
        """The rows are made by the scenario's code, which this process never runs."""
        files = [*self._scenario.locustfiles]
        options: dict[str, Any] = {
            "files": files,
            "number": number,
            "path": self.paths[number],
            "shuffled_by": shuffled_by,
        }
        result = run_child(self._fork_server, OWN_ROWS, Path(files[0]), self._timeout_s, lambda: False, **options)
        if "problem" in result:
            raise HarnessError.from_data(result["problem"])
        return Written(**result)

    def require(self, sources: Sequence[FeederSource]) -> None:
        """Raises :class:`HarnessError` if these, of another machine, have other rows: each must come once."""
        for here, there in zip(self.sources, sources, strict=True):
            if (here.rows, here.digest) != (there.rows, there.digest):
                raise HarnessError(
                    "feeder-differs", where=str(here.path or here.where), here=here.rows, there=there.rows
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()
