"""``harness.HttpUser``: the base class of users that speak HTTP."""

from __future__ import annotations

import locust  # noqa: F401  (patches sockets and TLS for gevent: before anything below imports them)

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
    """A Locust user with an HTTP client, ``self.client``; all that ``locust.FastHttpUser`` offers works alike.

    A request that is cut off (its user removed in the middle of it) or whose ``with`` block raises is recorded as a
    failure; Locust leaves both out of its figures.

    The settings below are read when a user is made. Times are in seconds, sizes in bytes.
    """

    abstract = True

    network_timeout: float = ClientSettings.network_timeout
    """The longest silence: the time that sending, or the next bytes of an answer, may take."""

    connection_timeout: float = ClientSettings.connection_timeout
    """The longest that looking up the name, connecting, a proxy's tunnel and TLS may take together."""

    exchange_timeout: float = ClientSettings.exchange_timeout
    """The longest that one request, its redirects and retries included, may take, however steadily its answer comes in;
    only a connection being made may take its ``connection_timeout`` beyond it. Raise it for lasting streams."""

    max_header_bytes: int = ClientSettings.max_header_bytes
    """The longest head of an answer, interim answers before it included."""

    max_answer_bytes: int = ClientSettings.max_answer_bytes
    """The largest answer that is kept, as it comes and unpacked; what is read from a stream does not count."""

    max_redirects: int = 30
    """Redirects of one request that are followed; they count as one request."""

    max_retries: int = 0
    """How often a request that timed out is sent again, if its method allows that; all tries count as one request."""

    insecure: bool = ClientSettings.insecure
    """Whether certificates go unchecked."""

    default_headers: dict[str, str] | None = None
    """Header fields of every request."""

    concurrency: int = ClientSettings.concurrency
    """Requests of one user to one server at a time, if it sends them from greenlets of its own; others wait."""

    proxy_host: str | None = None
    proxy_port: int | None = None
    """A proxy: for http it is asked for whole URLs, for https for a tunnel."""

    client_pool: HTTPClientPool | None = None
    """A pool (``geventhttpclient.client.HTTPClientPool(concurrency=5)``) whose connections all users of the class
    share; the timeouts, ``insecure``, ``concurrency`` and the proxy are then the pool's."""

    ssl_context_factory: Callable[..., SSLContext] | None = None
    """Makes the TLS context, with client certificates for example."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if self.host is None:
            raise StopTest(
                "You must specify the base host. Either in the host attribute in the User class, or on the command "
                "line using the --host option."
            )
        self.client = HttpSession(
            self.host,
            self.environment.events.request,
            self,
            insecure=self.insecure,
            client_pool=self.client_pool,
            ssl_context_factory=self.ssl_context_factory,
            max_redirects=self.max_redirects,
            max_retries=self.max_retries,
            headers=self.default_headers,
            network_timeout=self.network_timeout,
            connection_timeout=self.connection_timeout,
            exchange_timeout=self.exchange_timeout,
            max_header_bytes=self.max_header_bytes,
            max_answer_bytes=self.max_answer_bytes,
            concurrency=self.concurrency,
            proxy_host=self.proxy_host,
            proxy_port=self.proxy_port,
        )
        """Keeps connections and cookies between requests."""

    def run(self) -> None:  # type: ignore[misc]  # final in Locust: nothing else tells when a user has ended
        """Locust's; then the connections are closed, for the user itself stays until the next garbage collection."""
        try:
            super().run()  # type: ignore[no-untyped-call]
        finally:
            self.client.close()
