"""Agents that use the ORM, in whatever thread: they leave connections to others, and survive a restarted database."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from servers.fixtures import MakeInstallation, StartServer
from servers.netra import Installation, NetraServer
from servers.process import START_SECONDS, wait_for

USER, OTHER = "105945141827451681156", "github_user_98765432101"
SECONDS = 60.0
# Agents of `orm_agents`, by name: to import them would register them in the process of the tests.
WAYS = (
    *("plain", "to_thread", "asyncio_to_thread", "executor", "async_orm", "wrapped", "insensitive", "round_trip"),
    "left_open",
)

pytestmark = pytest.mark.timeout(180)


class Site:
    """An installation on PostgreSQL with few connections, and somebody who starts runs by HTTP."""

    def __init__(self, installation: Installation, server: NetraServer, database_url: str) -> None:
        self.server, self._database_url = server, database_url
        self._tokens = {user: installation.token(user) for user in (USER, OTHER)}

    def call(self, method: str, path: str, body: Any = None, user: str = USER) -> Any:
        """Call the API."""
        headers = {"Authorization": f"Bearer {self._tokens[user]}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.server.url}/api{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def start(self, agent: str, user: str = USER, **input: Any) -> str:
        """Start a run in a thread of its own; returns its id."""
        return str(self.call("POST", "/runs", {"agent_type": agent, "input": input}, user)["run_id"])

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the database, from outside."""
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()

    def statuses(self, run_ids: Sequence[str]) -> dict[str, str]:
        """How these runs stand, by the agent's and the run's name."""
        query = "SELECT agent_type || ' ' || run_id, status FROM netra_agents_run WHERE run_id = ANY(%s)"
        return dict(self.rows(query, list(run_ids)))

    def wait(self, run_ids: Sequence[str], status: str) -> None:
        """Wait until all of these runs are so."""
        deadline = time.monotonic() + SECONDS
        while set((found := self.statuses(run_ids)).values()) != {status}:
            over = {name: is_so for name, is_so in found.items() if is_so in ("failed", "cancelled")}
            assert not over or status in over.values(), over
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def wait_for_an_end(self, run_id: str) -> None:
        """Wait until this run has failed or is completed."""
        ends = {"failed", "completed"}
        wait_for(lambda: set(self.statuses([run_id]).values()) <= ends, SECONDS, "the end of a run")

    def cut_connections(self) -> None:
        """End every connection to the database, as a restart does."""
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def login_page(self) -> tuple[int, float]:
        """Its status, and how long it took. It asks the database for a session."""
        began = time.monotonic()
        request = urllib.request.Request(f"{self.server.url}/accounts/login/", headers={"Cookie": "sessionid=unknown"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, time.monotonic() - began
        except urllib.error.HTTPError as error:
            return error.code, time.monotonic() - began


@pytest.fixture(params=["serve", "worker"])
def site(
    request: pytest.FixtureRequest,
    make_installation: MakeInstallation,
    start_server: StartServer,
    postgres_url: str,
    redis_url: str,
) -> Iterator[Site]:
    """Agents executed by the server itself, and by a worker."""
    env = {
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_url,
        "NETRA_AGENT_MODULES": "tests.integration.faults.orm_agents",
        "NETRA_DATABASE_POOL": "5",
        "NETRA_DB_THREADS": "1",
        "NETRA_EXECUTOR": "inline" if request.param == "serve" else "procrastinate",
    }
    installation = make_installation(env=env)
    worker = installation.worker() if request.param == "worker" else None
    if worker is not None:
        worker.start()
        wait_for(lambda: "Netra executes runs" in worker.output(), START_SECONDS, "a worker")
    yield Site(installation, start_server(installation=installation), postgres_url)
    if worker is not None:
        worker.end()
        print(worker.tail())  # noqa: T201 - pytest shows it on failure


def test_more_agents_than_connections__all_end__and_the_site_goes_on(site: Site) -> None:
    runs = [site.start(way, seconds=0.2) for way in WAYS * 3]
    site.wait(runs, "completed")
    status, seconds = site.login_page()
    assert status == 200
    assert seconds < 5


def test_the_database_is_restarted__every_later_run_is_well(site: Site) -> None:
    runs = [site.start(way) for way in (*WAYS * 2, "broken")]
    site.wait(runs, "completed")
    site.cut_connections()
    runs = [site.start(way) for way in WAYS * 2]
    site.wait(runs, "completed")


def test_agents_wait_for_a_person__they_hold_no_connection(site: Site) -> None:
    asking = [site.start("asks") for _ in range(8)]
    site.wait(asking, "waiting")
    others = [site.start(way, OTHER) for way in WAYS]
    site.wait(others, "completed")
    assert site.login_page()[0] == 200
    for run_id in asking:
        query = (
            "SELECT approval_id FROM netra_agents_approval a JOIN netra_agents_run r ON r.id = a.run_id "
            "WHERE r.run_id = %s"
        )
        ((approval_id,),) = site.rows(query, run_id)
        site.call("POST", f"/runs/{run_id}/approvals/{approval_id}", {"approved": True})
    site.wait(asking, "completed")


def test_threads_of_an_agents_own__what_they_held_is_there_again(site: Site) -> None:
    for _ in range(4):
        site.wait([site.start("own_threads")], "completed")
    assert site.login_page()[0] == 200


def test_threads_that_an_agent_keeps__are_well_again_after_one_error_each(site: Site) -> None:
    site.wait([site.start("kept_threads")], "completed")
    site.cut_connections()
    for _ in range(2):  # each of the two threads may find out by an error
        site.wait_for_an_end(site.start("kept_threads"))
    site.wait([site.start("kept_threads") for _ in range(4)], "completed")
