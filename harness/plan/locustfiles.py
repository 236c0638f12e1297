"""Finds a scenario's files: one file, a folder, or several separated by commas, as ``locust -f``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.messages import Message, Option, alternatives, message

_NO_SCENARIOS = ("_", "test_", "conftest.")
"""Prefixes of Python files that lie beside scenarios."""

_MOST_CHARACTERS = 100_000
"""Of all paths together: the children get them in a variable, which Linux limits to 128 KiB."""


@dataclass(frozen=True)
class Locustfiles:
    """A scenario as the user named it. ``files`` are absolute, at least one, in the order of import.

    ``name`` is the file's or folder's without ``.py``; of several, their names with ``+`` between.
    """

    name: str
    files: tuple[Path, ...]


def find_locustfiles(scenario: str | Path) -> Locustfiles:
    """The files that ``scenario`` names. Raises :class:`HarnessError` where one is missing or a folder holds none."""
    text = str(scenario)
    if not text.strip(", "):  # as a path this would be the current folder
        raise HarnessError("scenario-empty")
    given = [text] if Path(text).exists() else [part.strip() for part in text.split(",") if part.strip()] or [text]
    files: dict[Path, None] = {}
    for each in given:
        files.update(dict.fromkeys(_files_of(Path(each))))
    return Locustfiles("+".join(dict.fromkeys(Path(each).resolve().stem for each in given)), tuple(files))


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        if path.suffix != ".py":
            raise _no_scenario(path)
        return [path.resolve()]
    if not path.is_dir():
        folder, others = _scenarios_near(path)
        raise HarnessError("scenario-not-found", where=str(path), folder=folder, alternatives=others)
    files = sorted(
        (Path(folder, name).resolve() for folder, _, names in os.walk(path) for name in names if _is_locustfile(name)),
        # A folder's own files come before those of its subfolders.
        key=lambda file: (len(file.parts), file),
    )
    package = path.resolve() / "__init__.py"
    if not files and not package.is_file():
        raise HarnessError("scenario-folder-empty", where=str(path))
    if sum(len(str(file)) + 4 for file in files) > _MOST_CHARACTERS:
        raise HarnessError("scenario-folder-too-large", where=str(path), count=len(files))
    return files or [package]


def _no_scenario(path: Path) -> HarnessError:
    """Locust imports only Python files."""
    if path.suffix == ".toml":
        return HarnessError(
            "scenario-is-profile",
            where=str(path),
            option=Option("profile", path.stem if path.parent.name == "profiles" else path),
        )
    folder, others = _scenarios_near(path)
    return HarnessError("scenario-not-python", where=str(path), folder=folder, alternatives=others)


def _scenarios_near(path: Path) -> tuple[Path, Message]:
    """A folder and its scenarios that may have been meant: beside ``path``, else the nearest ``scenarios`` upwards."""
    beside = path.absolute().parent
    for folder in (beside, *(above / "scenarios" for above in (beside, *beside.parents))):
        found = sorted(file.name for file in folder.glob("*.py") if not file.name.startswith(_NO_SCENARIOS))
        if found:
            return folder, alternatives(path.name, found)
    return beside, message("no-scenarios")


def _is_locustfile(name: str) -> bool:
    """What ``locust -f FOLDER`` takes, modules that only others import included; they do no harm."""
    return name.endswith(".py") and not name.startswith("_")
