"""What scenarios use of ``self.client.client``, which is geventhttpclient's ``UserAgent`` in Locust."""

from __future__ import annotations

from dataclasses import dataclass

from geventhttpclient.header import Headers

from harness.engine.http.connection_pool import ConnectionPool


@dataclass(frozen=True, slots=True)
class UserAgent:
    """``clientpool.close()`` makes a user reconnect; ``default_headers`` may be changed at any time."""

    clientpool: ConnectionPool
    default_headers: Headers
