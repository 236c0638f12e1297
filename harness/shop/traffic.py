"""Counts and times every request, around the whole application.

Plain ASGI, on the event loop alone, so no lock is needed and nothing is counted twice. A request counts from the
moment it arrives, so one whose client disconnected midway is counted too.
"""

from __future__ import annotations

import time
from collections import Counter

from fastapi import FastAPI
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import TypedDict

from harness.shop.metrics import Metrics

UNCOUNTED = frozenset({"/served", "/metrics", "/health", "/ledger", "/payments", "/openapi.json"})
"""Requests that watch the shop are not counted."""

UNMATCHED = "unmatched"
"""The route of requests for paths that the shop does not have."""


class ServedRequests(TypedDict):
    """Requests of one method, route template and status."""

    method: str
    route: str
    status: int
    count: int


class Served(TypedDict):
    """All requests since the start; ``status`` 0: no response was begun (yet)."""

    requests: list[ServedRequests]
    total: int


class Traffic:
    """ASGI middleware that counts what passes through it."""

    def __init__(self, app: FastAPI, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._in_flight: dict[int, Scope] = {}
        self._done: Counter[tuple[str, str, int]] = Counter()
        self._arrived = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNCOUNTED:
            await self._app(scope, receive, send)
            return
        self._arrived += 1
        number, begun, status = self._arrived, time.perf_counter(), 0
        self._in_flight[number] = scope

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            del self._in_flight[number]
            method, route = scope["method"], self._route(scope)
            self._done[method, route, status] += 1
            self._metrics.observe(method, route, status, time.perf_counter() - begun)

    def served(self) -> Served:
        """The counts as of now. To be called on the event loop."""
        counts = self._done + Counter((scope["method"], self._route(scope), 0) for scope in self._in_flight.values())
        requests: list[ServedRequests] = [
            {"method": method, "route": route, "status": status, "count": count}
            for (method, route, status), count in sorted(counts.items())
        ]
        return {"requests": requests, "total": self._arrived}

    def _route(self, scope: Scope) -> str:
        """The template that the path matches, as the router found or, where it was not asked (yet), would find."""
        if (route := scope.get("route")) is not None:
            return str(route.path)
        matching = (route for route in self._app.routes if route.matches(scope)[0] is Match.FULL)
        return str(getattr(next(matching, None), "path", UNMATCHED))
