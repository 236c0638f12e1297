"""A profile: a TOML file that says how much load, when, and what must hold, for any scenario."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.plan.faults import suggestion
from harness.plan.toml_lines import key_lines
from harness.plan.written import Written, dotted, shown_path

_PACKAGED = Path(__file__).parent / "profiles"
_SHIPPED = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "profiles"
"""In an installed wheel they lie beside this file (pyproject.toml puts them there), in a clone at its top."""


@dataclass(frozen=True)
class Profile:
    """A profile as it was written; ``resolve`` checks it. ``name`` is the file's without ``.toml``."""

    name: str
    path: Path
    written: Written


def load_profile(name_or_file: str, *, scenario: str | Path | None = None) -> Profile:
    """Read the profile of that name, or that file.

    A name is looked for in ``./profiles``, in ``profiles`` beside the folder of ``scenario``, and among the shipped
    ones. Raises ``HarnessError`` where there is none or it is not TOML.
    """
    path = _find(name_or_file, scenario)
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise HarnessError(
            f"byte {error.start} is not UTF-8", where=shown_path(path), hint="save the file as UTF-8"
        ) from None
    except OSError as error:
        raise HarnessError(
            f"cannot be read: {error.strerror}", where=shown_path(path), hint="give the path of a TOML file"
        ) from None
    text = text.replace("\r\n", "\n")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_fault(path, text, error) from None
    file = shown_path(path)
    places = {key: f"{file}:{line}: {dotted(key)}" for key, line in key_lines(text).items()}
    return Profile(path.stem, path, Written(data, {(): file, **places}))


def profile_names(scenario: str | Path | None = None) -> list[str]:
    """The names under which profiles can be found from here."""
    return sorted({path.stem for folder in _folders(scenario) for path in folder.glob("*.toml")})


def _find(name_or_file: str, scenario: str | Path | None) -> Path:
    if name_or_file.endswith(".toml") or "/" in name_or_file:
        path = Path(name_or_file)
        if not path.exists():
            near = suggestion(path.stem, [other.stem for other in path.absolute().parent.glob("*.toml")])
            raise HarnessError("there is no such profile file", where=name_or_file, hint=f"in that folder: {near}")
        return path.absolute()
    for folder in _folders(scenario):
        path = folder / f"{name_or_file}.toml"
        if path.is_file():
            return path.absolute()
    raise HarnessError(
        f'there is no profile "{name_or_file}" in {" or ".join(map(shown_path, _folders(scenario)))}',
        where="--profile",
        hint=suggestion(name_or_file, profile_names(scenario)),
    )


def _folders(scenario: str | Path | None) -> list[Path]:
    folders = [Path.cwd() / "profiles"]
    if scenario is not None:
        folders.append(Path(scenario).absolute().parent.parent / "profiles")
    return list(dict.fromkeys([*folders, _SHIPPED]))


def _syntax_fault(path: Path, text: str, error: tomllib.TOMLDecodeError) -> HarnessError:
    """Tells line and column first, as every other message does, and shows the line."""
    message, _, place = str(error).rpartition(" (at ")
    numbers = [int(word) for word in place.rstrip(")").replace(",", "").split() if word.isdigit()]
    lines = text.split("\n")
    # "at end of document" gives no numbers: the last line that holds something is where it breaks off.
    line = numbers[0] if numbers else max((i for i, each in enumerate(lines, 1) if each.strip()), default=1)
    return HarnessError(
        f"not TOML: {message or error}",
        where=f"{shown_path(path)}:{line}",
        hint=f"the line is: {lines[line - 1].strip()}",
    )
