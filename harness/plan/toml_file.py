"""A TOML file as it was written: its values, and of each the line it stands on."""

from __future__ import annotations

import tomllib
from pathlib import Path

from harness.errors import HarnessError
from harness.plan.config_source import ConfigSource, dotted, shown_path
from harness.plan.toml_lines import key_lines


def read_toml(path: Path) -> ConfigSource:
    """The whole file. Raises ``HarnessError`` where it cannot be read or is not TOML, naming the line."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError(
            f"cannot be read: {error.strerror}", where=shown_path(path), hint="give the path of a TOML file"
        ) from None
    return parse_toml(path, content)


def parse_toml(path: Path, content: bytes) -> ConfigSource:
    """What stood in ``path``. Raises ``HarnessError`` where it is not TOML, naming the line."""
    try:
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise HarnessError(
            f"byte {error.start} is not UTF-8", where=shown_path(path), hint="save the file as UTF-8"
        ) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_problem(path, text, error) from None
    except ValueError:  # Python's limit on digits
        raise HarnessError(
            "a whole number is too long", where=shown_path(path), hint="TOML's whole numbers have 64 bits"
        ) from None
    except RecursionError:
        raise HarnessError(
            "lists or tables are nested too deeply", where=shown_path(path), hint="write them flat"
        ) from None
    file = shown_path(path)
    locations = {key: f"{file}:{line}: {dotted(key)}" for key, line in key_lines(text).items()}
    return ConfigSource(data, {(): file, **locations})


def _syntax_problem(path: Path, text: str, error: tomllib.TOMLDecodeError) -> HarnessError:
    """Tells line and column first, as every other message does, and shows the line."""
    message, _, location = str(error).rpartition(" (at ")
    numbers = [int(word) for word in location.rstrip(")").replace(",", "").split() if word.isdigit()]
    lines = text.split("\n")
    # "at end of document" gives no numbers: the last line that holds something is where it breaks off.
    line = numbers[0] if numbers else max((i for i, each in enumerate(lines, 1) if each.strip()), default=1)
    return HarnessError(
        f"not TOML: {message or error}",
        where=f"{shown_path(path)}:{line}",
        hint=f"the line is: {lines[line - 1].strip()}",
    )
