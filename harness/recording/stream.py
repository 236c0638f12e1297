"""What declares a stream, one kind of recorded data: its files, its reader, its exported table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from harness.record.run_folder import RunFolder

if TYPE_CHECKING:
    import pyarrow

    from harness.recording.recording import Recording

Data = TypeVar("Data")


@dataclass(frozen=True, slots=True)
class Table:
    """A stream as other tools read it: a Parquet file in the run folder."""

    file: str
    of: Callable[[Recording], pyarrow.Table]
    """Raises :class:`HarnessError` if the recording is damaged."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream(Generic[Data]):
    """One kind of recorded data. To add one, declare it in a file here and list it in :data:`STREAMS`."""

    name: str
    files: tuple[str, ...]
    """The files of a run folder that hold it; a run that has none of them did not record it."""
    read: Callable[[RunFolder], Data]
    """Raises :class:`HarnessError` if it is damaged."""
    table: Table | None = None
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """Its files that ``summary.json`` names, by the name they have there."""

    def recorded_in(self, folder: RunFolder) -> bool:
        """Whether the run recorded it."""
        return any((folder.path / file).exists() for file in self.files)
