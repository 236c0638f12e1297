"""The child process that writes the rows of a feeder which the scenario's own code yields.

The result is ``{"rows", "digest"}``, or ``{"problem": …}`` (:meth:`harness.errors.HarnessError.to_data`).
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from harness.engine.feeder import feeders
from harness.engine.scenario.child_result import claim_stdout, locate, write_result
from harness.engine.scenario.scenario_file import load_scenario
from harness.errors import HarnessError
from harness.feeders.rows import RowsWriter

MOST_ROWS = 10_000_000


def write_rows(files: list[Path], number: int, path: str, shuffled_by: str | None) -> dict[str, Any]:
    """Write the rows of feeder ``number``: the child's result."""
    where = str(files[0])
    try:
        load_scenario(files)
        feeder = feeders()[number]
        where = feeder.where
        with Path(path).open("wb") as file:
            writer = RowsWriter(file)
            for count, row in enumerate(feeder.source):
                if count >= MOST_ROWS:
                    raise HarnessError("feeder-endless", where=where, most=MOST_ROWS)
                try:
                    writer.add(row)
                except (TypeError, ValueError, OverflowError) as error:
                    raise HarnessError("feeder-row-invalid", where=where, row=count + 1, error=error) from error
            return writer.close(shuffled_by)._asdict()
    except HarnessError as error:
        return {"problem": error.to_data()}
    except (Exception, SystemExit) as error:  # noqa: BLE001  (user code may raise anything)
        raised = locate(error, files[0])
        return {"problem": HarnessError("feeder-rows-raised", where=raised.location, error=raised.error).to_data()}


def main(given: Namespace) -> None:
    """See the module's first lines. The options: the scenario's ``files``, ``number``, ``path``, ``shuffled_by``."""
    stdout = claim_stdout()
    write_result(stdout, write_rows(list(map(Path, given.files)), given.number, given.path, given.shuffled_by))
