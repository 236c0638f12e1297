"""Reads a TOML file into a :class:`ConfigSource`: its values, and the line of each."""

from __future__ import annotations

import tomllib
from pathlib import Path

from harness.errors import HarnessError
from harness.plan.config_source import ConfigSource, dotted, shown_path
from harness.plan.toml_lines import key_lines


def read_toml(path: Path) -> ConfigSource:
    """The whole file. Raises ``HarnessError``, naming the line, where it cannot be read or is not TOML."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError(
            "file-unreadable",
            "cannot be read: {reason}",
            where=shown_path(path),
            hint="give the path of a TOML file",
            reason=error.strerror,
        ) from None
    return parse_toml(path, content)


def parse_toml(path: Path, content: bytes) -> ConfigSource:
    """The ``content`` of ``path``. Raises ``HarnessError``, naming the line, where it is not TOML."""
    try:
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise HarnessError(
            "file-not-utf8",
            "byte {byte} is not UTF-8",
            where=shown_path(path),
            hint="save the file as UTF-8",
            byte=error.start,
        ) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_problem(path, text, error) from None
    except ValueError:  # Python's limit on digits
        raise HarnessError(
            "toml-number-too-long",
            "a whole number is too long",
            where=shown_path(path),
            hint="TOML's whole numbers have 64 bits",
        ) from None
    except RecursionError:
        raise HarnessError(
            "toml-nested-too-deeply",
            "lists or tables are nested too deeply",
            where=shown_path(path),
            hint="write them flat",
        ) from None
    file = shown_path(path)
    locations = {key: f"{file}:{line}: {dotted(key)}" for key, line in key_lines(text).items()}
    return ConfigSource(data, {(): file, **locations})


def _syntax_problem(path: Path, text: str, error: tomllib.TOMLDecodeError) -> HarnessError:
    """With the line first, as in every other message."""
    message, _, location = str(error).rpartition(" (at ")
    numbers = [int(word) for word in location.rstrip(")").replace(",", "").split() if word.isdigit()]
    lines = text.split("\n")
    # "at end of document" gives no numbers: the last line that holds something is where it breaks off.
    line = numbers[0] if numbers else max((i for i, each in enumerate(lines, 1) if each.strip()), default=1)
    return HarnessError(
        "toml-invalid",
        "not TOML: {reason}",
        where=f"{shown_path(path)}:{line}",
        hint="the line is: {text}",
        reason=message or error,
        text=lines[line - 1].strip(),
    )
