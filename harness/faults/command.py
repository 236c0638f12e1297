"""``command``: a command or an HTTP request that begins a fault, and another one that ends it.

The way to everything that breaks things by itself: Chaos Mesh, Gremlin, Litmus, ``tc``, ``kubectl`` (docs/faults.md).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import IO, Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from harness.errors import HarnessError, InvalidValue
from harness.faults import command_runner
from harness.faults.fault import Fault
from harness.faults.place import Place
from harness.messages import Message, message
from harness.quantities import Duration
from harness.record.redaction import redacted, redacted_command

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_LONGEST_OUTPUT = 300
_LAST_BYTES = 16_384
"""Of a command's output, where its last lines are looked for."""
_Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


def _command(value: object) -> object:
    try:
        words = shlex.split(value) if isinstance(value, str) else []
    except ValueError:  # a quote without an end
        words = []
    if not words or "\0" in str(value):
        raise InvalidValue("fault-command-invalid", value=value)
    return value


def _url(value: object) -> object:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        valid = parts.scheme in ("http", "https") and parts.hostname and ("$" in parts.netloc or parts.port != 0)
    except ValueError:  # a port that is not a number, or half an IPv6 address
        valid = False
    if not valid and not (isinstance(value, str) and value.startswith("$")):
        raise InvalidValue("fault-url-invalid", value=redacted(str(value)))
    return value


def _body(value: object) -> object:
    try:
        json.dumps(value, allow_nan=False, default=str)  # TOML has times
    except ValueError:
        raise InvalidValue("fault-body-invalid") from None
    return value


def _headers(value: object) -> object:
    for name, text in value.items() if isinstance(value, dict) else ():
        if not _HEADER_NAME.fullmatch(name) or (isinstance(text, str) and not _HEADER_VALUE.fullmatch(text)):
            raise InvalidValue("fault-header-invalid", name=name)
    return value


_Command = Annotated[str, BeforeValidator(_command)]
_Url = Annotated[str, BeforeValidator(_url)]
_Body = Annotated[str | dict[str, Any], BeforeValidator(_body)]


class CommandFault(Fault):
    """``start`` or ``start_url``, and ``stop`` or ``stop_url``. ``$NAME`` in URLs, headers and bodies is replaced."""

    kind = "command"
    synonyms: ClassVar[Mapping[str, str]] = {
        "command": "start", "cmd": "start", "run": "start", "begin": "start", "end": "stop", "undo": "stop",
        "url": "start_url", "method": "start_method", "body": "start_body",
    }  # fmt: skip

    start: _Command | None = None
    stop: _Command | None = None
    start_url: _Url | None = None
    start_method: _Method = "POST"
    start_body: _Body | None = None
    stop_url: _Url | None = None
    stop_method: _Method = "POST"
    stop_body: _Body | None = None
    headers: Annotated[dict[str, str], BeforeValidator(_headers)] = Field(default_factory=dict)
    """Of both requests."""
    timeout: Duration = 30.0
    """How long each command or request may take."""

    @model_validator(mode="after")
    def _one_way_each(self) -> Self:
        for key, command, url in (("start", self.start, self.start_url), ("stop", self.stop, self.stop_url)):
            if command is None and url is None:
                raise InvalidValue("fault-command-missing", missing=key)
            if command is not None and url is not None:
                raise InvalidValue("fault-command-twice", key=f"{key}_url", other=key)
        return self

    @property
    def thing(self) -> str:
        return self.start or str(self.start_url)

    @property
    def outside(self) -> tuple[str, ...]:
        return ("command",)

    @property
    def longest_s(self) -> float:
        return self.timeout

    @property
    def ends_target(self) -> bool:
        return True

    @property
    def by_hand(self) -> Message:
        if self.stop is not None:
            return message("fault-undo-command", command=redacted_command(self.stop))
        return message("fault-undo-request", method=self.stop_method, url=redacted(str(self.stop_url)))

    def check(self, place: Place) -> None:  # noqa: ARG002
        for command in (self.start, self.stop):
            program = shlex.split(command)[0] if command is not None else None
            if program is not None and shutil.which(program) is None:
                raise HarnessError("fault-program-not-found", program=program)

    def begin(self, place: Place) -> None:  # noqa: ARG002
        if self.start is not None:
            self._run(self.start)
        else:
            self._request(self.start_method, str(self.start_url), self.start_body)

    def end(self, place: Place) -> None:  # noqa: ARG002
        if self.stop is not None:
            self._run(self.stop)
        else:
            self._request(self.stop_method, str(self.stop_url), self.stop_body)

    def _run(self, command: str) -> None:
        shown = redacted_command(command)
        # A file, not a pipe: processes that a command leaves running would hold a pipe open.
        with _output_file() as output:
            runner = [sys.executable, "-I", "-S", command_runner.__file__, str(self.timeout), *shlex.split(command)]
            with subprocess.Popen(
                runner, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, start_new_session=True
            ) as process:
                assert process.stdout is not None
                printed = process.stdout.read()  # while its input stays open
            how: dict[str, Any] = json.loads(printed or b"{}")
            if "error" in how:
                raise HarnessError("fault-command-not-started", command=shown, reason=how["error"])
            if "killed" in how:
                code = "fault-command-timeout" if how["killed"] else "fault-command-not-killed"
                raise HarnessError(code, command=shown, seconds=self.timeout)
            if status := how.get("status", process.returncode):  # unless the runner was killed
                output.seek(max(0, output.seek(0, os.SEEK_END) - _LAST_BYTES))
                lines = output.read().decode(errors="replace").split()
                said = redacted(" ".join(lines))[-_LONGEST_OUTPUT:] or message("fault-command-silent")
                raise HarnessError("fault-command-failed", command=shown, status=status, output=said)

    def _request(self, method: str, url: str, body: _Body | None) -> None:
        import urllib.request as http  # only here: few plans have faults, and fewer send requests

        # Neither redirects, which would take the headers to another host, nor files.
        opener = http.OpenerDirector()
        for kind in (
            *(http.ProxyHandler, http.HTTPHandler, http.HTTPSHandler, http.UnknownHandler),
            *(http.HTTPErrorProcessor, http.HTTPDefaultErrorHandler),
        ):
            opener.add_handler(kind())
        text = json.dumps(body) if isinstance(body, dict) else body
        headers = {"Content-Type": "application/json"} if isinstance(body, dict) else {}
        headers |= {name: os.path.expandvars(value) for name, value in self.headers.items()}
        try:
            data = None if text is None else os.path.expandvars(text).encode()
            request = http.Request(os.path.expandvars(url), data, headers, method=method)
            opener.open(request, timeout=self.timeout).close()
        except OSError as error:  # also a status other than 2xx
            raise HarnessError(
                "fault-request-failed", method=method, url=redacted(url), reason=redacted(str(error))
            ) from error
        except (HTTPException, ValueError):  # their texts have the values of variables
            raise HarnessError("fault-request-invalid", method=method, url=redacted(url)) from None


def _output_file() -> IO[bytes]:
    """A file for a command's output; without room for temporary files, none, because the command must run."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return Path(os.devnull).open("w+b")
