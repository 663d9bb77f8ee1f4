"""The servers that other tests break on purpose must themselves be dependable."""

import signal
from pathlib import Path

import psycopg
import pytest
import redis

from servers.postgres import PostgresServer
from servers.process import ServerFailedError, ServerProcess, accepts_connections
from servers.valkey import ValkeyServer


def test_valkey__killed_and_started_again__answers_on_the_same_url(private_valkey: ValkeyServer) -> None:
    with redis.Redis.from_url(private_valkey.url) as client:
        client.set("kept", "no")
    private_valkey.kill()
    assert not accepts_connections(private_valkey.port)
    private_valkey.start()
    with redis.Redis.from_url(private_valkey.url) as client:
        assert client.get("kept") is None


def test_valkey__shared_and_private__are_two_servers(redis_url: str, private_valkey: ValkeyServer) -> None:
    assert redis_url != private_valkey.url


def test_postgres__killed_and_started_again__kept_what_was_committed(private_postgres: PostgresServer) -> None:
    name = private_postgres.database()
    with psycopg.connect(private_postgres.url(name)) as connection:
        connection.execute("CREATE TABLE kept (n integer)")
        connection.execute("INSERT INTO kept VALUES (42)")
    private_postgres.kill()
    assert not private_postgres.is_running
    private_postgres.start()
    with psycopg.connect(private_postgres.url(name)) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (42,)
    assert private_postgres.stop() == 0


def test_postgres__two_databases__share_nothing(postgres_url: str, postgres: PostgresServer) -> None:
    other = postgres.database()
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE mine (n integer)")
    with psycopg.connect(postgres.url(other)) as connection:
        assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)
    postgres.drop(other)


def test_process__ends_at_once__says_what_it_wrote(tmp_path: Path) -> None:
    program = ServerProcess(["sh", "-c", "echo no such thing; exit 3"], log=tmp_path / "log", is_ready=lambda: False)
    with pytest.raises(ServerFailedError, match=r"(?s)ended with 3.*no such thing"):
        program.start()


def test_process__stopped_by_a_signal__is_still_killed(tmp_path: Path) -> None:
    program = ServerProcess(["sleep", "600"], log=tmp_path / "log", is_ready=lambda: True)
    program.start()
    program.signal(signal.SIGSTOP)
    program.kill()
    assert program.returncode == -signal.SIGKILL
