"""Which files a scenario is: one Python file, a folder of them, or several with commas between, as ``locust -f``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.plan.problems import suggestion

_NOT_MEANT = ("_", "test_", "conftest.")
"""How the names of Python files begin that are beside scenarios, and none."""


@dataclass(frozen=True)
class Locustfiles:
    """A scenario as the user named it. ``files`` are absolute, at least one, in the order in which they are imported.

    ``name`` is the file's or folder's without ``.py``; of several, their names with ``+`` between.
    """

    name: str
    files: tuple[Path, ...]


def find_locustfiles(scenario: str | Path) -> Locustfiles:
    """The files that ``scenario`` names. Raises :class:`HarnessError` where one is missing or a folder holds none."""
    text = str(scenario)
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
        raise HarnessError("there is no such scenario", where=str(path), hint=_there_are(path))
    files = sorted(
        (Path(folder, name).resolve() for folder, _, names in os.walk(path) for name in names if _is_locustfile(name)),
        # A folder's own files before those further down.
        key=lambda file: (len(file.parts), file),
    )
    package = path.resolve() / "__init__.py"
    if not files and not package.is_file():
        raise HarnessError(
            "the folder holds no Python file", where=str(path), hint="Names that begin with _ are left out."
        )
    return files or [package]


def _no_scenario(path: Path) -> HarnessError:
    """That the file is none: Locust imports Python files only."""
    if path.suffix == ".toml":
        profile = path.stem if path.parent.name == "profiles" else path
        return HarnessError(
            "this is no scenario: a profile is TOML, a scenario a Python file",
            where=str(path),
            hint=f"name the scenario, and this beside it: --profile {profile}",
        )
    return HarnessError("this is not a Python file", where=str(path), hint=_there_are(path))


def _there_are(path: Path) -> str:
    """The scenarios that may have been meant: beside it, else in the nearest ``scenarios`` from there upwards."""
    beside = path.absolute().parent
    for folder in (beside, *(above / "scenarios" for above in (beside, *beside.parents))):
        found = sorted(file.name for file in folder.glob("*.py") if not file.name.startswith(_NOT_MEANT))
        if found:
            return f"in {folder}: {suggestion(path.name, found)}"
    return f"there is none in {beside}; give the path of a Python file"


def _is_locustfile(name: str) -> bool:
    """What ``locust -f FOLDER`` takes. Modules that only others import are among them, and do no harm."""
    return name.endswith(".py") and not name.startswith("_")
