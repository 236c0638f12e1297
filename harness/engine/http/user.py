"""``harness.HttpUser``, the base class of users that send HTTP requests."""

from __future__ import annotations

import locust  # noqa: F401  (patches sockets and TLS for gevent, so it comes before the imports below)

# isort: split

from collections.abc import Callable
from ssl import SSLContext
from typing import Any

from geventhttpclient.client import HTTPClientPool
from locust import User
from locust.env import Environment
from locust.exception import StopTest
from locust.user.users import RestMixin

from harness.engine.http.client_settings import ClientSettings
from harness.engine.http.session import HttpSession


class HttpUser(User, RestMixin[Any]):
    """A Locust user with an HTTP client, ``self.client``, that works like ``locust.FastHttpUser``.

    A request is recorded as failed if its user is stopped while it is in flight, or if its ``with`` block raises.
    Locust does not count either.

    The settings below are read when a user is created. Times are in seconds, sizes in bytes.
    """

    abstract = True

    network_timeout: float | None = ClientSettings.network_timeout
    """Timeout for sending, and for the next bytes of a response. None is no limit, for the other timeouts too."""

    connection_timeout: float | None = ClientSettings.connection_timeout
    """Timeout for establishing a connection: name look-up, TCP, proxy tunnel and TLS together."""

    exchange_timeout: float | None = ClientSettings.exchange_timeout
    """Timeout for a whole request, including redirects and retries, even if its response keeps arriving. A connection
    that is being established may exceed it by ``connection_timeout``. Raise it for long-lived streams."""

    max_header_bytes: int = ClientSettings.max_header_bytes
    """Limit on the headers of a response, including interim responses before it."""

    max_response_bytes: int = ClientSettings.max_response_bytes
    """Limit on a response, both as received and decoded. What has been read from a stream does not count."""

    max_answer_bytes: int | None = None
    """Former name of ``max_response_bytes``, which it overrides."""

    max_redirects: int = 30
    """How many redirects of a request are followed; together they count as one request."""

    max_retries: int = 0
    """How often a request that timed out is retried if its method is idempotent; together they count as one request."""

    insecure: bool = ClientSettings.insecure
    """Whether to accept any certificate."""

    default_headers: dict[str, str] | None = None
    """Headers of every request."""

    concurrency: int = ClientSettings.concurrency
    """How many requests one user may have in flight to one server, if it sends them from several greenlets."""

    proxy_host: str | None = None
    proxy_port: int | None = None
    """An HTTP proxy. Requests to https URLs use a tunnel."""

    client_pool: HTTPClientPool | None = None
    """A pool, such as ``geventhttpclient.client.HTTPClientPool(concurrency=5)``, whose connections all users of the
    class share. Its timeouts, ``insecure``, ``concurrency`` and proxy apply."""

    ssl_context_factory: Callable[..., SSLContext] | None = None
    """Creates the TLS context, for example one with client certificates."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if self.host is None:
            raise StopTest(
                "You must specify the base host. Either in the host attribute in the User class, or on the command "
                "line using the --host option."
            )
        settings = {name: getattr(self, name) for name in ClientSettings.__dataclass_fields__}
        settings["max_response_bytes"] = self.max_answer_bytes or self.max_response_bytes
        self.client = self._session = HttpSession(
            self.host,
            self.environment.events.request,
            self,
            client_pool=self.client_pool,
            max_redirects=self.max_redirects,
            max_retries=self.max_retries,
            headers=self.default_headers,
            **settings,
        )
        """Keeps connections and cookies between requests."""

    def run(self) -> None:  # type: ignore[misc]  # final in Locust, which has no event for the end of a user
        """Run the user as Locust does, then close its connections, which would last until the next collection."""
        try:
            super().run()  # type: ignore[no-untyped-call]
        finally:
            self._session.close()  # the scenario may have put another client in its place
