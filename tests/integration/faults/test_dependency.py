"""Faults of real PostgreSQL and Redis servers: what clients see meanwhile, and that nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from harness.errors import HarnessError
from harness.faults.dependency import APPLICATION, DependencyFault
from harness.faults.place import Place
from harness.sources.postgresql import PostgresqlSource
from tests.support.children import free_port, wait_until
from tests.support.errors import harness_error
from tests.support.faults import begun_elsewhere, open_files_limited
from tests.support.postgresql import PostgreSQL, start_postgresql
from tests.support.redis_server import start_redis


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A server whose connections no other test needs."""
    with start_postgresql() as started:
        yield started


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with start_redis() as url:
        yield url


@pytest.fixture
def place(server: PostgreSQL, redis_url: str) -> Place:
    return Place(allowed=(f"127.0.0.1:{server.port}", redis_url.removeprefix("redis://").partition("/")[0]))


def ours(server: PostgreSQL) -> int:
    """How many connections of faults the server has."""
    with psycopg.connect(server.url) as client:
        rows = client.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [APPLICATION])
        return int(rows.fetchall()[0][0])


@pytest.mark.slow
def test_no_connection_is_left_until_it_ends(server: PostgreSQL, place: Place) -> None:
    fault = DependencyFault(url=server.url, fill=True)
    fault.check(place)
    fault.begin(place)
    try:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url)
    finally:
        fault.end(place)
    fault.end(place)
    assert wait_until(lambda: ours(server) == 0)


@pytest.mark.slow
def test_a_connection_that_another_client_closes_is_not_left(server: PostgreSQL, place: Place) -> None:
    fault = DependencyFault(url=server.url, fill=True)
    with psycopg.connect(server.url):
        fault.begin(place)
    try:
        assert wait_until(lambda: is_refused(server))
        fault.require_active(place)
    finally:
        fault.end(place)
    assert wait_until(lambda: ours(server) == 0)


def is_refused(server: PostgreSQL) -> bool:
    try:
        psycopg.connect(server.url).close()
    except psycopg.OperationalError:
        return True
    return False


@pytest.fixture
def role(server: PostgreSQL) -> Iterator[str]:
    """A role that may do what any other may, and nothing else."""
    with psycopg.connect(server.url, autocommit=True) as client:
        client.execute("CREATE ROLE shopper LOGIN")
        yield "shopper"
        client.execute("DROP ROLE shopper")


def test_connections_that_are_reserved_for_superusers_stay(server: PostgreSQL, place: Place, role: str) -> None:
    fault = DependencyFault(url=server.url.replace("postgres@", f"{role}@"), fill=True)
    fault.begin(place)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(fault.url)
    assert ours(server) > 50
    fault.end(place)
    assert wait_until(lambda: ours(server) == 0)


@pytest.mark.parametrize("limited", ["ROLE", "DATABASE"])
def test_a_limit_of_a_role_or_database_does_not_fill_the_server(
    server: PostgreSQL, place: Place, role: str, limited: str
) -> None:
    url = server.new_database().replace("postgres@", f"{role}@")
    name = role if limited == "ROLE" else url.rpartition("/")[2]
    with psycopg.connect(server.url, autocommit=True) as client:
        client.execute(f"ALTER {limited} {name} CONNECTION LIMIT 3".encode())
    fault = DependencyFault(url=url, fill=True)
    with harness_error("fault-dependency-refused"):
        fault.begin(place)
    fault.end(place)
    assert wait_until(lambda: ours(server) == 0)


def test_too_few_open_files_do_not_fill_the_server(server: PostgreSQL, place: Place) -> None:
    fault = DependencyFault(url=server.url, fill=True)
    fault.check(place)  # imports
    opened = {int(each.name) for each in Path("/proc/self/fd").iterdir()}
    most = list(islice((number for number in count() if number not in opened), 10))[-1]
    try:
        with open_files_limited(most), harness_error("fault-dependency-refused"):
            fault.begin(place)
    finally:
        fault.end(place)
    assert wait_until(lambda: ours(server) == 0)


def test_a_number_of_connections_is_held(server: PostgreSQL, place: Place) -> None:
    fault = DependencyFault(url=server.url, fill=7)
    fault.begin(place)
    assert ours(server) == 7
    fault.end(place)
    assert wait_until(lambda: ours(server) == 0)


def test_a_locked_table_can_neither_be_read_nor_written(server: PostgreSQL, place: Place) -> None:
    with psycopg.connect(server.url, autocommit=True) as client:
        client.execute('CREATE TABLE IF NOT EXISTS "Order items" (id int)')
        client.execute("SET lock_timeout = '200ms'")
        fault = DependencyFault(url=server.url, lock="public.Order items")
        fault.check(place)
        fault.begin(place)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            client.execute('SELECT * FROM "Order items"')
        fault.end(place)
        client.execute("SET lock_timeout = '20s'")
        client.execute('INSERT INTO "Order items" VALUES (1)')


@pytest.mark.parametrize("effect", [{"fill": 3}, {"lock": "held"}])
def test_what_the_server_has_closed_is_no_longer_held(server: PostgreSQL, place: Place, effect: dict[str, Any]) -> None:
    fault = DependencyFault(url=server.url, **effect)
    with psycopg.connect(server.url, autocommit=True) as client:
        client.execute("CREATE TABLE IF NOT EXISTS held (id int)")
        fault.begin(place)
        fault.require_active(place)
        closed = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = %s LIMIT 1"
        client.execute(closed, [APPLICATION])
    with harness_error("fault-dependency-refused"):
        fault.require_active(place)
    fault.end(place)


def test_its_statements_are_not_counted_as_the_targets(server: PostgreSQL, place: Place) -> None:
    url = server.new_database()
    with psycopg.connect(url, autocommit=True) as client:
        client.execute("CREATE EXTENSION pg_stat_statements")
        client.execute("CREATE TABLE stock (id int)")
    source = PostgresqlSource(url, [])
    before = source.statements()
    fault = DependencyFault(url=url, lock="stock")
    fault.check(place)
    fault.begin(place)
    fault.end(place)
    assert source.statements() == before
    source.close()


@pytest.mark.parametrize("effect", [{"fill": 20}, {"lock": "stock"}])
def test_when_its_process_is_killed_it_is_undone(server: PostgreSQL, place: Place, effect: dict[str, object]) -> None:
    with psycopg.connect(server.url, autocommit=True) as client:
        client.execute("CREATE TABLE IF NOT EXISTS stock (id int)")
    fault = DependencyFault.model_validate({"url": server.url, **effect})
    with begun_elsewhere(fault, place) as process:
        assert ours(server) > 0
        process.kill()
    fault.end(place)  # as the process does that takes over
    assert wait_until(lambda: ours(server) == 0)


def test_a_flushed_cache_is_empty(redis_url: str, place: Place) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("kept", 1)
        fault = DependencyFault(url=redis_url, flush=True)
        fault.check(place)
        assert client.dbsize() == 1
        fault.begin(place)
        fault.end(place)
        assert client.dbsize() == 0


def test_only_hosts_that_are_named_are_touched(server: PostgreSQL, redis_url: str) -> None:
    for fault in (DependencyFault(url=server.url, fill=True), DependencyFault(url=redis_url, flush=True)):
        for act in (fault.check, fault.begin):
            with harness_error("fault-not-allowed"):
                act(Place(allowed=("127.0.0.1", "127.0.0.1:1")))
    assert ours(server) == 0


@pytest.mark.parametrize("mark", ["?", "#"])
def test_a_url_leads_where_it_seems_to_lead(server: PostgreSQL, mark: str) -> None:
    # libpq looks for a user up to the first slash, but a host ends at these marks.
    fault = DependencyFault(url=f"postgresql://127.0.0.2{mark}@127.0.0.1:{server.port}/postgres", fill=1)
    with harness_error("fault-dependency-url-split"):
        fault.check(Place(allowed=("127.0.0.2:5432",)))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_environment_selects_no_other_host(server: PostgreSQL, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.2")  # nothing listens there
    fault = DependencyFault(url=server.url.replace("127.0.0.1", host), fill=1)
    fault.check(Place(allowed=(f"{host}:{server.port}",)))


@pytest.mark.parametrize("variable", ["PGPORT", "PGSERVICE"])
def test_the_environment_selects_no_other_port(
    server: PostgreSQL, variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = tmp_path / "services"
    services.write_text(f"[{server.port}]\nport={server.port}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.setenv(variable, str(server.port))
    fault = DependencyFault(url="postgresql://postgres@127.0.0.1/postgres", fill=1)
    place = Place(allowed=("127.0.0.1:5432",))
    with suppress(HarnessError):  # nothing listens there, as a rule
        fault.begin(place)
    assert ours(server) == 0
    fault.end(place)


def test_a_name_that_no_table_can_have_is_refused_before_any_load(server: PostgreSQL, place: Place) -> None:
    with harness_error("fault-dependency-refused"):
        DependencyFault(url=server.url, lock="a.b.c.d").check(place)


def test_what_is_missing_is_reported_without_the_password(server: PostgreSQL, place: Place) -> None:
    with harness_error("fault-table-not-found"):
        DependencyFault(url=server.url, lock="no_such").check(place)
    port = free_port()
    nobody = Place(allowed=(f"127.0.0.1:{port}",))
    for scheme, effect in (("postgresql", {"fill": True}), ("redis", {"flush": True})):
        url = f"{scheme}://me:geheim3@127.0.0.1:{port}/0"
        with pytest.raises(Exception, match="refused") as refused:
            DependencyFault.model_validate({"url": url, **effect}).check(nobody)
        assert "geheim3" not in str(refused.value)


def test_a_variable_in_the_url_stands_for_its_value(
    server: PostgreSQL, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULT_DATABASE", "postgres")
    DependencyFault(url=f"{server.url.rpartition('/')[0]}/$FAULT_DATABASE", fill=1).check(place)


@pytest.mark.slow
def test_a_begin_that_fails_holds_nothing(server: PostgreSQL, place: Place) -> None:
    with psycopg.connect(server.url) as client:
        client.execute("CREATE TABLE IF NOT EXISTS dropped (id int)")
        client.commit()
        fault = DependencyFault(url=server.url, lock="dropped")
        fault.check(place)
        client.execute("DROP TABLE dropped")
        client.commit()
    with harness_error("fault-dependency-refused"):
        fault.begin(place)
    fault.end(place)
    assert wait_until(lambda: ours(server) == 0)
