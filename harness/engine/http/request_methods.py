"""The calls of a session that are named for an HTTP method."""

from __future__ import annotations

import codecs
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any


class RequestMethods:
    """Shorthands for :meth:`request`."""

    @abstractmethod
    def request(self, method: str, url: str, **more: Any) -> Any:
        """Send a request and record it."""

    def get(self, url: str, **more: Any) -> Any:
        """Send a GET request; see :meth:`request`."""
        return self.request("GET", url, **more)

    def post(self, url: str, data: Any = None, json: Any = None, **more: Any) -> Any:
        """Send a POST request; see :meth:`request`."""
        return self.request("POST", url, data=data, json=json, **more)

    def put(self, url: str, data: Any = None, **more: Any) -> Any:
        """Send a PUT request; see :meth:`request`."""
        return self.request("PUT", url, data=data, **more)

    def patch(self, url: str, data: Any = None, **more: Any) -> Any:
        """Send a PATCH request; see :meth:`request`."""
        return self.request("PATCH", url, data=data, **more)

    def delete(self, url: str, **more: Any) -> Any:
        """Send a DELETE request; see :meth:`request`."""
        return self.request("DELETE", url, **more)

    def head(self, url: str, **more: Any) -> Any:
        """Send a HEAD request; see :meth:`request`."""
        return self.request("HEAD", url, **more)

    def options(self, url: str, **more: Any) -> Any:
        """Send an OPTIONS request; see :meth:`request`."""
        return self.request("OPTIONS", url, **more)

    def iter_lines(self, url: str, method: str = "GET", **more: Any) -> Iterator[str]:
        """Yield the lines of a response as they arrive, without their line ends.

        Raises the error that the request failed with, since the request is already recorded at that point.
        """
        response = self.request(method, url, stream=True, **more)
        response.raise_for_status()
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        rest = ""
        for chunk in response.stream:
            *lines, rest = (rest + decode(chunk)).split("\n")
            yield from lines
        rest += decode(b"", final=True)
        if rest:
            yield rest
