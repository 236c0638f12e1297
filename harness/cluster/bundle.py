"""Collects the files of a scenario that remote workers need, and writes them there.

Sent are the scenario's files, the modules they import from their own folders or the working folder (and what these
import in turn), and the files there that they name in a string, such as ``"users.csv"``. They are found in the source,
without running it. Not sent: installed packages, files named in other ways, and files that nobody means to give away:
dot-files (``.env``, all below ``.git``), and links that lead out of these folders.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import HarnessError
from harness.messages import Message, message

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

    def describe(self) -> Message:
        """What remote workers are sent, the scenario's own files first."""
        names = [*self.scenario, *(name for name in self.files if name not in self.scenario)]
        size_kb = max(1, self.size // 1000)
        if len(names) <= _SHOWN:
            return message("bundle-sent", files=names, size_kb=size_kb)
        return message("large-bundle-sent", files=names[:_SHOWN], more=len(names) - _SHOWN, size_kb=size_kb)

    def write_to(self, folder: Path) -> list[Path]:
        """Write the files below ``folder``, readable by this user only; the paths of the scenario's own files.

        Raises ``ValueError`` if a path leads out of the folder, or a file of the scenario is missing.
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
    """The files to send for the scenario at these absolute paths, if harness was called in ``cwd``.

    Raises :class:`HarnessError` if there are more than :data:`MOST_FILES` or :data:`MOST_BYTES`, or one cannot be read.
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
            _check_size(size, len(found) + 1, own[0])
            found[path] = content = path.read_bytes()
        except OSError as error:
            raise HarnessError("bundle-file-unreadable", where=str(path), reason=error.strerror) from error
        if path.suffix == ".py":
            left += _packages_of(path)
            left += _needed_by(path, content, [*dict.fromkeys([*(each.parent for each in own), *sorted(tops), root])])
    files = {path.relative_to(root).as_posix(): content for path, content in sorted(found.items())}
    return Bundle(tuple(path.relative_to(root).as_posix() for path in own), files)


def _may_be_sent(path: Path, root: Path) -> bool:
    """Whether it lies below ``root``, also with links followed, and no part of its path is hidden."""
    for file, folder in ((path, root), (path.resolve(), root.resolve())):
        if not file.is_relative_to(folder) or any(part.startswith(".") for part in file.relative_to(folder).parts):
            return False
    return True


def _check_size(size: int, files: int, scenario: Path) -> None:
    if size > MOST_BYTES or files > MOST_FILES:
        raise HarnessError("bundle-too-large", where=str(scenario), most_mib=MOST_BYTES >> 20, most_files=MOST_FILES)


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
        return  # importing it reports the error
    # Docstrings mention files without opening them.
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _modules(alias.name.split("."), folders)
        elif isinstance(node, ast.ImportFrom):
            above = [path.parents[node.level - 1]] if 0 < node.level <= len(path.parents) else folders
            base = node.module.split(".") if node.module else []
            for alias in node.names:
                yield from _modules([*base, alias.name], above)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            yield from _named(node.value, folders)


def _modules(parts: list[str], folders: list[Path]) -> Iterator[Path]:
    """The files that importing ``a.b.c`` reads below the first of these folders that has an ``a``."""
    for folder in folders:
        at = folder
        some = False
        for part in parts:
            if _is_file(module := at / f"{part}.py"):
                yield module
                some = True
                break
            at = at / part
            if _is_file(package := at / "__init__.py"):
                yield package
                some = True
            elif not os.path.isdir(at):  # noqa: PTH112  (as in _is_file)
                break
        if some:
            return


def _named(text: str, folders: list[Path]) -> Iterator[Path]:
    if not text or len(text.encode("utf-8", "replace")) > _LONGEST_NAME or text.startswith("/"):
        return
    for folder in folders:
        path = folder / text
        if ".." not in path.parts and _is_file(path):
            yield path
            return


def _is_file(path: Path) -> bool:
    """Whether it is a file that this user may find: ``Path.is_file`` raises in a folder that the user may not enter."""
    return os.path.isfile(path)  # noqa: PTH113
