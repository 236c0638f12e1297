"""The calls of a session that are one request each, named by its method."""

from __future__ import annotations

import codecs
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any


class RequestMethods:
    """What :meth:`request` does, under the names that scenarios use."""

    @abstractmethod
    def request(self, method: str, url: str, **more: Any) -> Any:
        """Send a request and record it."""

    def get(self, url: str, **more: Any) -> Any:
        """As :meth:`request`, by GET."""
        return self.request("GET", url, **more)

    def post(self, url: str, data: Any = None, json: Any = None, **more: Any) -> Any:
        """As :meth:`request`, by POST."""
        return self.request("POST", url, data=data, json=json, **more)

    def put(self, url: str, data: Any = None, **more: Any) -> Any:
        """As :meth:`request`, by PUT."""
        return self.request("PUT", url, data=data, **more)

    def patch(self, url: str, data: Any = None, **more: Any) -> Any:
        """As :meth:`request`, by PATCH."""
        return self.request("PATCH", url, data=data, **more)

    def delete(self, url: str, **more: Any) -> Any:
        """As :meth:`request`, by DELETE."""
        return self.request("DELETE", url, **more)

    def head(self, url: str, **more: Any) -> Any:
        """As :meth:`request`, by HEAD."""
        return self.request("HEAD", url, **more)

    def options(self, url: str, **more: Any) -> Any:
        """As :meth:`request`, by OPTIONS."""
        return self.request("OPTIONS", url, **more)

    def iter_lines(self, url: str, method: str = "GET", **more: Any) -> Iterator[str]:
        """The lines of an answer, without their ends, as they come in.

        Raises what the request failed by, for it is recorded by then.
        """
        response = self.request(method, url, stream=True, **more)
        response.raise_for_status()
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        rest = ""
        for part in response.stream:
            *lines, rest = (rest + decode(part)).split("\n")
            yield from lines
        rest += decode(b"", final=True)
        if rest:
            yield rest
