"""The files of a scenario that a worker on another machine is given, and how they are laid down there.

Sent are the scenario's files, the modules they import from their own folders or from the folder ``harness`` was called
in (with what these import in turn), and the files there that they name in a string, such as ``"users.csv"``. All of it
is found in the source, without running any. Not sent: installed packages, files named in other ways, and what nobody
means to give away by naming it: dot-files (``.env``, all below ``.git``), and links that lead out of these folders.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import HarnessError

MOST_BYTES = 16 << 20
MOST_FILES = 1000
_LONGEST_NAME = 255
_SHOWN = 5


@dataclass(frozen=True)
class Bundle:
    """``files`` by their path below one folder, ``/`` between parts; ``scenario`` names the scenario's own."""

    scenario: tuple[str, ...]
    files: dict[str, bytes]

    @property
    def size(self) -> int:
        return sum(map(len, self.files.values()))

    def describe(self) -> str:
        """What is sent, as a person reads it: ``shop.py, helper.py and 3 more files (12 kB)``."""
        names = [*self.scenario, *(name for name in self.files if name not in self.scenario)]
        more = f" and {len(names) - _SHOWN} more files" if len(names) > _SHOWN else ""
        return f"{', '.join(names[:_SHOWN])}{more} ({max(1, self.size // 1000):,} kB)"

    def lay_down(self, folder: Path) -> list[Path]:
        """Write the files below ``folder``, for this user alone; the paths of the scenario's own.

        Raises ``ValueError`` where a path would lead out of the folder, or a file of the scenario is missing.
        """
        for name, content in self.files.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise ValueError(f"{name!r} leads out of the folder")
            file = folder.joinpath(*path.parts)
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_bytes(content)
        if not self.scenario or not set(self.scenario) <= set(self.files):
            raise ValueError("the scenario itself is missing")
        return [folder.joinpath(*PurePosixPath(name).parts) for name in self.scenario]


def collect(scenario: Sequence[str | Path], cwd: Path) -> Bundle:
    """The files to send of the scenario of these absolute paths, for a harness called in ``cwd``.

    Raises :class:`HarnessError` where they are more than :data:`MOST_FILES` or :data:`MOST_BYTES`, or one cannot be
    read.
    """
    own = [Path(path) for path in scenario]
    tops = {_top(path) for path in own}
    root = cwd if all(top.is_relative_to(cwd) for top in tops) else Path(os.path.commonpath(tops))
    found: dict[Path, bytes] = {}
    left = list(own)
    size = 0
    while left:
        path = left.pop()
        if path in found or not (path in own or _may_be_sent(path, root)):
            continue
        try:
            size += path.stat().st_size  # before it is read: it may be larger than memory
            _refuse_too_much(size, len(found) + 1, own[0])
            found[path] = content = path.read_bytes()
        except OSError as fault:
            raise HarnessError(
                f"cannot be read, so it cannot be sent to workers: {fault.strerror}", where=str(path)
            ) from fault
        if path.suffix == ".py":
            left += _packages_of(path)
            left += _needed_by(path, content, [*dict.fromkeys([*(each.parent for each in own), *sorted(tops), root])])
    files = {path.relative_to(root).as_posix(): content for path, content in sorted(found.items())}
    return Bundle(tuple(path.relative_to(root).as_posix() for path in own), files)


def _may_be_sent(path: Path, root: Path) -> bool:
    """Whether it lies below ``root``, wherever links lead, and nothing on the way there is hidden."""
    for file, folder in ((path, root), (path.resolve(), root.resolve())):
        if not file.is_relative_to(folder) or any(part.startswith(".") for part in file.relative_to(folder).parts):
            return False
    return True


def _refuse_too_much(size: int, files: int, scenario: Path) -> None:
    if size > MOST_BYTES or files > MOST_FILES:
        raise HarnessError(
            f"the scenario with what it imports and names is too large to be sent to workers: more than "
            f"{MOST_BYTES >> 20} MiB or {MOST_FILES:,} files",
            where=str(scenario),
            hint="Keep large files on each machine, at a path that is not below the scenario's folder.",
        )


def _packages_of(path: Path) -> list[Path]:
    """The ``__init__.py`` of the packages that a module is in."""
    found = []
    folder = path.parent
    while (init := folder / "__init__.py").is_file():
        found.append(init)
        folder = folder.parent
    return found


def _top(path: Path) -> Path:
    """The folder a module is imported from: its own or, where that is a package, the one that holds the package."""
    packages = _packages_of(path)
    return packages[-1].parent.parent if packages else path.parent


def _needed_by(path: Path, content: bytes, folders: list[Path]) -> Iterator[Path]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return  # whoever imports it will hear of it
    # Docstrings speak of files; they open none.
    spoken = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _modules(alias.name.split("."), folders)
        elif isinstance(node, ast.ImportFrom):
            above = [path.parents[node.level - 1]] if 0 < node.level <= len(path.parents) else folders
            base = node.module.split(".") if node.module else []
            for alias in node.names:
                yield from _modules([*base, alias.name], above)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in spoken:
            yield from _named(node.value, folders)


def _modules(parts: list[str], folders: list[Path]) -> Iterator[Path]:
    """The files that importing ``a.b.c`` reads below the first of these folders that has an ``a``."""
    for folder in folders:
        at = folder
        some = False
        for part in parts:
            if (module := at / f"{part}.py").is_file():
                yield module
                some = True
                break
            at = at / part
            if (package := at / "__init__.py").is_file():
                yield package
                some = True
            elif not at.is_dir():
                break
        if some:
            return


def _named(text: str, folders: list[Path]) -> Iterator[Path]:
    if not text or len(text.encode("utf-8", "replace")) > _LONGEST_NAME or text.startswith("/"):
        return
    for folder in folders:
        path = folder / text
        if ".." not in path.parts and path.is_file():
            yield path
            return
