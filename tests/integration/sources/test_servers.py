"""Reading real PostgreSQL and Redis servers: their figures, and what is said where they refuse."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
import redis

from harness.errors import HarnessError
from harness.sources import SOURCES
from harness.sources.postgresql import POSTGRESQL, PostgresqlSource
from harness.sources.redis import REDIS, RedisSource
from harness.sources.source import Source
from tests.support.children import free_port, wait_until
from tests.support.postgresql import PostgreSQL
from tests.support.redis_server import start_redis


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with start_redis() as url:
        yield url


def failure_of(source: Source) -> HarnessError:
    with pytest.raises(HarnessError) as raised:
        source.read()
    source.close()
    return raised.value


def test_postgresql_shows_connections_by_state_and_waits_for_locks(postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    source = PostgresqlSource(url.replace("postgresql://", "postgresql+psycopg://"), [])
    before = source.read()
    assert {*before.gauges, *before.counters} == {*(POSTGRESQL.series or ())}
    # In this order: the end of ``waiter`` waits for the lock, which only that of ``holder`` frees if the test fails.
    with psycopg.connect(url, autocommit=True) as waiter, psycopg.connect(url) as holder:
        holder.execute("CREATE TABLE stock (id int); ")
        holder.commit()
        holder.execute("LOCK TABLE stock")
        thread = threading.Thread(target=lambda: waiter.execute("SELECT * FROM stock"))
        thread.start()
        assert wait_until(lambda: source.read().gauges["connections_waiting_for_locks"] == 1)
        seen = source.read().gauges
        holder.rollback()
        thread.join()
    assert seen["connections_active"] == before.gauges["connections_active"] + 1
    assert seen["connections_idle_in_transaction"] == 1
    assert seen["connections"] == before.gauges["connections"] + 2
    assert seen["max_connections"] == 100
    assert seen["longest_transaction_seconds"] > 0
    assert wait_until(lambda: source.read().counters["commits"] > before.counters["commits"])
    source.close()


def test_postgresql_says_which_role_sees_other_connections(postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("CREATE ROLE spectator LOGIN")
        source = PostgresqlSource(url.replace("postgres@", "spectator@"), [])
        source.read()
        assert [note.code for note in source.missing()] == ["postgresql-states-hidden"]
        source.close()
        other.execute("DROP ROLE spectator")


def test_postgresql_counts_statements_where_it_has_the_extension(postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    source = PostgresqlSource(url, [])
    assert source.statements() == {}
    with psycopg.connect(url, autocommit=True) as client:
        client.execute("CREATE EXTENSION pg_stat_statements")
        for number in range(3):
            client.execute(f"SELECT generate_series(1, {number + 1})".encode())
    counted = source.statements()
    calls, total_ms, rows = counted["SELECT generate_series($1, $2)"]
    assert (calls, rows) == (3, 6)
    assert total_ms > 0
    source.read()
    assert source.statements() == counted  # what the harness asks is not the target's
    source.close()


def test_any_role_counts_its_statements_in_any_schema(postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE ROLE shopkeeper LOGIN")
        own = url.replace("postgres@", "shopkeeper@")
        source = PostgresqlSource(own, [])
        assert source.statements() == {}
        owner.execute('CREATE SCHEMA "Extra"')
        owner.execute('GRANT USAGE ON SCHEMA "Extra" TO shopkeeper')
        owner.execute('CREATE EXTENSION pg_stat_statements SCHEMA "Extra"')
        with psycopg.connect(own) as client:
            client.execute("SELECT 'a shopkeeper''s'")
        assert source.statements()["SELECT $1"][0] == 1
        source.close()
        owner.execute("DROP OWNED BY shopkeeper")
        owner.execute("DROP ROLE shopkeeper")


def test_redis_shows_hits_and_evictions(redis_url: str) -> None:
    source = RedisSource(redis_url, [])
    before = source.read()
    assert {*before.gauges, *before.counters} == {*(REDIS.series or ())}
    with redis.Redis.from_url(redis_url) as client:
        client.set("there", 1)
        client.get("there")
        client.get("not there")
        client.config_set("maxmemory", 1_500_000)
        client.config_set("maxmemory-policy", "allkeys-lru")
        for number in range(300):
            client.set(f"key {number}", "x" * 10_000)
    after = source.read()
    assert wait_until(lambda: source.read().gauges["connected_clients"] == 0)  # the harness is none
    gained = {name: after.counters[name] - before.counters[name] for name in after.counters}
    assert (gained["keyspace_hits"], gained["keyspace_misses"]) == (1, 1)
    assert gained["evicted_keys"] > 0
    assert after.gauges["maxmemory_bytes"] == 1_500_000
    source.close()


def test_a_wrong_password_is_not_shown(redis_url: str, postgresql: PostgreSQL) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("requirepass", "right")
        source = RedisSource(redis_url.replace("//", "//:geheim1@"), [])
        error = failure_of(source)
        client.execute_command("AUTH", "right")
        client.config_set("requirepass", "")
    assert error.code == "metrics-unreachable"
    assert "geheim1" not in str(error)
    wrong = failure_of(PostgresqlSource(postgresql.url.replace("postgres@", "nobody:geheim2@"), []))
    assert wrong.code == "metrics-unreachable"
    assert "nobody" in str(wrong.params["reason"])
    assert "geheim2" not in str(wrong)


@pytest.mark.parametrize("kind", [POSTGRESQL, REDIS], ids=lambda kind: kind.name)
def test_a_missing_server_is_reported(kind: object) -> None:
    for each in SOURCES:
        if each is kind:
            url = f"{each.schemes[0]}://127.0.0.1:{free_port()}/0"
            assert failure_of(each.open(url, [])).code == "metrics-unreachable"
