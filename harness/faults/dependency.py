"""``dependency``: a database without free connections or with a locked table, a cache that is empty."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BeforeValidator, StrictBool, StrictStr, model_validator

from harness.errors import HarnessError, InvalidValue
from harness.faults import held_connections
from harness.faults.fault import Fault
from harness.faults.held_connections import execute, hold, keep_full, left_on
from harness.faults.place import Place
from harness.messages import Message, message
from harness.record.redaction import redacted

if TYPE_CHECKING:
    from psycopg import Connection
    from redis import Redis

APPLICATION = "harness fault"
"""What PostgreSQL shows as the name of our connections."""
_CONNECT_S = 5
_LOCK_S = 10
"""How long the lock may be waited for, by us and so by all that wait behind us."""
_FILL_S = 20.0
_RETRY_S, _REFUSALS = 0.05, 20
"""How often a server that has connections left may refuse one."""
_MOST = 10_000
_PORTS = {"postgresql": 5432, "redis": 6379}
_ELSEWHERE = frozenset({"host", "hostaddr", "port", "service", "servicefile"})
"""Keys of a URL's query that may select another server than the URL names, and which is not allowed."""
_SCHEMES = {"postgresql": "postgresql", "postgres": "postgresql", "redis": "redis", "rediss": "redis"}


def _url(value: object) -> object:
    """With a scheme and a host, so that it is known what must be allowed. ``$NAME`` is replaced when it is used."""
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        host = parts.hostname or ""
        valid = _scheme(parts.scheme) and host and "$" not in host and parts.port != 0
    except ValueError:  # a port that is not a number, or half an IPv6 address
        valid = False
    if not valid:
        raise InvalidValue("fault-dependency-url-invalid", value=redacted(str(value)))
    elsewhere = sorted(_ELSEWHERE & {key.lower() for key, _ in parse_qsl(parts.query, keep_blank_values=True)})
    if elsewhere:
        raise InvalidValue("fault-dependency-url-elsewhere", value=redacted(str(value)), parameter=elsewhere[0])
    return value


def _fill(value: object) -> object:
    if value is not True and not (isinstance(value, int) and 1 <= value <= _MOST):
        raise InvalidValue("fault-fill-invalid", value=value, most=_MOST)
    return value


def _scheme(scheme: str) -> str | None:
    """As SQLAlchemy has it, a driver may follow: ``postgresql+psycopg``."""
    return _SCHEMES.get(scheme.partition("+")[0].lower())


class DependencyFault(Fault):
    """``fill`` and ``lock`` are for PostgreSQL, ``flush`` is for Redis. Exactly one of them."""

    kind = "dependency"
    synonyms: ClassVar[Mapping[str, str]] = {
        "dsn": "url", "uri": "url", "address": "url", "connections": "fill", "table": "lock", "lock_table": "lock",
        "flushdb": "flush", "flush_cache": "flush",
    }  # fmt: skip
    strength = ("fill", "lock", "flush")

    url: Annotated[str, BeforeValidator(_url)]
    fill: Annotated[bool | int, BeforeValidator(_fill)] | None = None
    """How many connections to open and hold; true: all that the server has left."""
    lock: StrictStr | None = None
    """The table that is locked against all other reads and writes."""
    flush: StrictBool = False

    @model_validator(mode="after")
    def _one_effect(self) -> Self:
        given = [key for key in ("fill", "lock", "flush") if getattr(self, key) not in (None, False)]
        if len(given) != 1:
            raise InvalidValue("fault-dependency-effects", given=given or ["none"])
        wanted = "redis" if self.flush else "postgresql"
        if self._server != wanted:
            raise InvalidValue("fault-dependency-other-server", key=given[0], word=given[0], server=wanted)
        return self

    @property
    def _server(self) -> str:
        found = _scheme(urlsplit(self.url).scheme)
        assert found is not None, "the URL was checked"
        return found

    @property
    def _host(self) -> str:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        return f"{f'[{host}]' if ':' in host else host}:{parts.port or _PORTS[self._server]}"

    def _expanded(self) -> str:
        """The URL with the values of its variables, which lead to no other host than the one that was allowed."""
        url = os.path.expandvars(self.url)
        if urlsplit(url).netloc.partition("@")[2] != urlsplit(self.url).netloc.partition("@")[2]:
            raise HarnessError("fault-dependency-url-split", url=redacted(self.url))
        return url

    @property
    def thing(self) -> str:
        return f"{self._server} {self._host} {self.lock or ('flush' if self.flush else 'fill')}"

    @property
    def outside(self) -> tuple[str, ...]:
        return (self._host,)

    @property
    def is_momentary(self) -> bool:
        return self.flush

    @property
    def by_hand(self) -> Message:
        return message("fault-undo-dependency", application=APPLICATION, host=self._host)

    def check(self, place: Place) -> None:
        place.require_allowed(self._host)
        if self.flush:
            self._with_redis(lambda client: client.ping())
            return
        with self._connect() as connection:
            if self.lock is not None and not self._has_table(connection):
                raise HarnessError("fault-table-not-found", table=self.lock, url=redacted(self.url))

    def begin(self, place: Place) -> None:
        place.require_allowed(self._host)
        if self.flush:
            self._with_redis(lambda client: client.flushdb())
        elif self.lock is not None:
            self._hold_lock()
        else:
            self._hold_connections()

    def end(self, place: Place) -> None:  # noqa: ARG002
        held_connections.release(self.thing)

    def require_active(self, place: Place) -> None:  # noqa: ARG002
        import psycopg

        try:
            held_connections.require_open(self.thing)
        except psycopg.Error as error:
            raise _refused(self.url, error) from None

    def _hold_lock(self) -> None:
        import psycopg

        connection = self._connect()
        hold(self.thing, connection)
        try:
            execute(connection, f"SET lock_timeout = '{_LOCK_S}s'")
            execute(connection, "SET idle_in_transaction_session_timeout = 0")
            execute(connection, "BEGIN")
            execute(connection, f"LOCK TABLE {self._quoted_table(connection)} IN ACCESS EXCLUSIVE MODE")
        except psycopg.Error as error:
            raise _refused(self.url, error) from None

    def _hold_connections(self) -> None:
        import psycopg

        wanted = _MOST if self.fill is True or self.fill is None else self.fill
        deadline_s = time.monotonic() + _FILL_S
        first = self._connect()
        hold(self.thing, first)
        held, refusals = 1, 0
        while held < wanted:
            try:
                hold(self.thing, self._open())
            except (psycopg.Error, OSError) as error:
                is_refusal = isinstance(error, psycopg.OperationalError) and not isinstance(
                    error, psycopg.errors.ConnectionTimeout
                )
                if is_refusal and self.fill is True and (left := self._left(first)) <= 0:
                    keep_full(self.thing, first, left, self._open)
                    return
                refusals += 1  # another client may just have had the last connection
                if not is_refusal or self.fill is not True or refusals > _REFUSALS:
                    raise _refused(self.url, error) from None
                time.sleep(_RETRY_S)
            else:
                held, refusals = held + 1, 0
            if time.monotonic() > deadline_s:
                raise HarnessError("fault-fill-too-slow", count=held, seconds=_FILL_S)

    def _left(self, connection: Connection[Any]) -> int:
        """How many connections the server has left. libpq does not pass on the SQLSTATE of a refusal.

        It would not be enough: 53300 is also that of a limit of the role or the database, which leaves some to others.
        """
        import psycopg

        try:
            return left_on(connection)
        except psycopg.Error as error:
            raise _refused(self.url, error) from None

    def _connect(self) -> Connection[Any]:
        try:
            import psycopg
        except ModuleNotFoundError:
            raise _package_missing("postgresql") from None
        try:
            return self._open()
        except (psycopg.Error, OSError) as error:
            raise _refused(self.url, error) from None

    def _open(self) -> Connection[Any]:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        scheme, _, rest = self._expanded().partition("://")
        url = f"{scheme.partition('+')[0]}://{rest}"
        parts = urlsplit(self.url)
        # libpq looks for a user up to the first slash: "allowed?@other/shop" leads elsewhere.
        if str(conninfo_to_dict(url).get("host")).lower() != unquote(parts.hostname or "").lower():
            raise HarnessError("fault-dependency-url-split", url=redacted(self.url))
        return psycopg.connect(
            url,
            autocommit=True,
            # Otherwise PGHOSTADDR, PGPORT or a PGSERVICE could select a server that is not allowed.
            hostaddr="",
            port=parts.port or _PORTS[self._server],
            connect_timeout=_CONNECT_S,
            application_name=APPLICATION,
        )

    def _has_table(self, connection: Connection[Any]) -> bool:
        import psycopg

        try:
            found = execute(connection, "SELECT to_regclass(%s)", self._quoted_table(connection)).fetchone()
        except psycopg.Error as error:  # a name of four parts, or an empty one
            raise _refused(self.url, error) from None
        return found is not None and found[0] is not None

    def _quoted_table(self, connection: Connection[Any]) -> str:
        from psycopg import sql

        assert self.lock is not None
        return sql.Identifier(*self.lock.split(".")).as_string(connection)

    def _with_redis(self, act: Callable[[Redis], object]) -> None:
        try:
            import redis
        except ModuleNotFoundError:
            raise _package_missing("redis") from None
        try:
            with redis.Redis.from_url(
                self._expanded(), socket_timeout=_LOCK_S, socket_connect_timeout=_CONNECT_S
            ) as client:
                act(client)
        except (redis.RedisError, OSError, ValueError) as error:
            raise _refused(self.url, error) from None


def _refused(url: str, error: Exception) -> HarnessError:
    reason = redacted(" ".join(str(error).split())) or type(error).__name__
    return HarnessError("fault-dependency-refused", url=redacted(url), reason=reason)


def _package_missing(extra: str) -> HarnessError:
    return HarnessError("fault-package-missing", extra=extra)
