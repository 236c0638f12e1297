"""docker-compose.yml and the Dockerfile as values: services, their variables, where they listen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from tests.support.command import REPOSITORY

FILE = REPOSITORY / "docker-compose.yml"
DOCKERFILE = REPOSITORY / "Dockerfile"
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
"""The one form of a variable that the file uses: with a default."""


@dataclass(frozen=True)
class Service:
    """A service with its variables put in; ``words`` is the whole command, the image's own entrypoint included."""

    name: str
    words: list[str]
    environment: dict[str, str]
    written: Mapping[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether it runs the image that the Dockerfile makes."""
        return "build" in self.written

    @property
    def harness_words(self) -> list[str] | None:
        """What the command line of the harness is given; None where the service runs something else."""
        if self.words[:2] == ["bash", "-c"] and self.words[2].endswith('; exec harness "$@"'):
            return self.words[4:]
        return self.words[1:] if self.words[0] == "harness" else None


def read_services(variables: Mapping[str, str] | None = None) -> dict[str, Service]:
    """All services, by name; ``variables`` are those of the shell that calls ``docker compose``."""
    written = read_file(variables)["services"]
    entrypoint = re.findall(r'"([^"]*)"', next(line for line in dockerfile() if line.startswith("ENTRYPOINT")))
    return {
        name: Service(
            name,
            [*map(str, service.get("entrypoint", entrypoint)), *map(str, service.get("command", []))],
            {key: str(value) for key, value in service.get("environment", {}).items()},
            service,
        )
        for name, service in written.items()
    }


def read_file(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The whole file, merged and with its variables put in."""
    given = variables or {}

    def put_in(value: Any) -> Any:
        match value:
            case dict():
                return {key: put_in(inner) for key, inner in value.items()}
            case list():
                return [put_in(inner) for inner in value]
            case str():
                return _VARIABLE.sub(lambda found: given.get(found[1]) or found[2], value).replace("$$", "$")
        return value

    read: dict[str, Any] = put_in(YAML(typ="safe", pure=True).load(FILE))
    return read


def dockerfile() -> list[str]:
    """Its instructions, a line each, without comments."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line]
