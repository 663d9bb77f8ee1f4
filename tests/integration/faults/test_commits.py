"""COMMITs whose answer does not come, on PostgreSQL: whatever outlives whatever, nothing is written twice or lost.

The commit hangs in the server (a synchronous replica is away), on the way to it (a proxy that holds the bytes back),
or its answer is lost; meanwhile the journal gives the connection up and asks what has become of it.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from chaos.proxy import Proxy
from netra.testing.database import DatabaseFaults
from servers.postgres import PostgresServer
from test_framework.databases import use_database
from test_framework.journal_operations import state, states
from websocket_core.database import db
from websocket_core.errors import OutcomeUnknown
from websocket_core.gateway import get_gateway
from websocket_core.journal import Journal
from websocket_core.models import JournalCommit
from websocket_core.process import metrics
from websocket_core.process.heartbeat import this_process
from websocket_core.retention.pruning import Kind, kinds, prune_kind

pytestmark = [pytest.mark.timeout(180), pytest.mark.postgres]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - another thread's doing
            await asyncio.sleep(0.02)


class Replica:
    """A synchronous replica that is away, as PostgreSQL sees it: commits happen, and are not answered."""

    def __init__(self, url: str) -> None:
        self.url = url

    def leave(self) -> None:
        self._name("nobody")

    def come_back(self) -> None:
        self._name("")

    def _name(self, name: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as operator:
            operator.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
            operator.execute("SELECT pg_reload_conf()")
            while operator.execute("SHOW synchronous_standby_names").fetchone() != (name,):
                operator.execute("SELECT pg_sleep(0.02)")

    def sessions(self) -> list[str]:
        """What Netra's sessions wait for that are in the middle of something."""
        with psycopg.connect(self.url, autocommit=True) as operator:
            found = operator.execute(
                "SELECT wait_event FROM pg_stat_activity WHERE application_name = 'netra' AND state <> 'idle'"
            )
            return [event or "" for (event,) in found]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("commits"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def proxy(cluster: PostgresServer) -> Iterator[Proxy]:
    made = Proxy(cluster.port)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def replica(
    cluster: PostgresServer, proxy: Proxy, django_db_blocker: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Replica]:
    """This process serves, on a fresh database behind `proxy`, and gives its connections up after a second."""
    url = cluster.url(cluster.database())
    settings.NETRA_DATABASE_SILENCE_SECONDS, settings.NETRA_DATABASE_IDLE_SECONDS = 1.0, 4.0
    with django_db_blocker.unblock():
        with use_database(url):
            call_command("migrate", interactive=False, verbosity=0)
        monkeypatch.setattr(this_process, "kind", "server")
        with use_database(url.replace(str(cluster.port), str(proxy.port))):
            made = Replica(url)
            yield made
            made.come_back()
            db.close_all()


@pytest.fixture
async def journal(replica: Replica) -> Journal:
    """One that has committed before."""
    found = get_gateway().journal
    await found.submit(state("before"))
    return found


def tries() -> float:
    """Attempts that failed so far."""
    return float(metrics.journal_retries._value.get())


async def test_commit_that_waits_for_a_replica__is_given_up_and_found(journal: Journal, replica: Replica) -> None:
    await asyncio.to_thread(replica.leave)
    tried = tries()
    futures = [journal.post(state(number)) for number in range(3)]
    await until(lambda: tries() >= tried + 3)
    futures.append(journal.post(state(3)))
    assert not any(future.done() for future in futures)
    await asyncio.to_thread(replica.come_back)
    assert await asyncio.gather(*futures) == [2, 3, 4, 5]
    assert await states() == ["before", 0, 1, 2, 3]


async def test_commit_that_waits_for_long__leaves_no_session_behind_for_every_try(
    journal: Journal, replica: Replica
) -> None:
    """The one whose commit waits, and the one that asks: a server has only so many sessions to give."""
    await asyncio.to_thread(replica.leave)
    tried = tries()
    future = journal.post(state("once"))
    await until(lambda: tries() >= tried + 6)
    async with asyncio.timeout(30):  # a slow machine gives up on a session shortly before the session ends itself
        while len(await asyncio.to_thread(replica.sessions)) > 3:  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.02)
    await asyncio.to_thread(replica.come_back)
    assert await future == 2
    assert await states() == ["before", "once"]


async def test_retry_that_becomes_unclear_itself__is_found(
    journal: Journal, replica: Replica, faults: DatabaseFaults
) -> None:
    faults.commits.append("lost")
    await asyncio.to_thread(replica.leave)
    tried = tries()
    future = journal.post(state("once"))
    await until(lambda: tries() >= tried + 3)
    assert (await asyncio.to_thread(replica.sessions)).count("SyncRep") == 1
    await asyncio.to_thread(replica.come_back)
    assert await future == 2
    assert await states() == ["before", "once"]


class StalledCommit:
    """The next commit of the writer's thread is sent into a network that has forgotten the connection."""

    def __init__(self, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = threading.Event()

        def arm() -> None:
            here: Any = connection
            real = here._commit

            def commit() -> None:
                here._commit = real
                proxy.forget()
                self.sent.set()
                real()

            here._commit = commit

        self.arm = arm


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives late", "never arrives"])
async def test_commit_that_a_proxy_holds_back__is_done_once(
    journal: Journal, replica: Replica, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    stalled = StalledCommit(proxy, monkeypatch)
    await db.writer.call(stalled.arm)
    tried = tries()
    future = journal.post(state("once"))
    await until(stalled.sent.is_set)
    await until(lambda: tries() >= tried + 2)  # given up, and asked once: the answer was not known yet
    if arrives:
        await asyncio.to_thread(proxy.remember)
    assert await future == 2
    assert await journal.submit(state("after")) == 3
    assert await states() == ["before", "once", "after"]


async def test_two_event_loops__neither_takes_the_others_commit_for_its_own(
    journal: Journal, replica: Replica, faults: DatabaseFaults
) -> None:
    """Here a commit happens and is not answered; before this loop asks, the other one commits something else."""
    faults.commits.append("unclear")
    first = journal.post(state("here"))
    await until(lambda: not faults.commits)
    meanwhile(_submit("there"))
    assert await first == 2
    assert await states() == ["before", "here", "there"]


async def test_two_event_loops__the_others_commit_is_no_sign_that_ours_happened(
    journal: Journal, replica: Replica, faults: DatabaseFaults
) -> None:
    faults.commits.append("lost")
    first = journal.post(state("here"))
    await until(lambda: not faults.commits)
    meanwhile(_submit("there", 3))
    assert await first == 5
    assert await states() == ["before", "there", "there", "there", "here"]


async def _submit(value: str, times: int = 1) -> None:
    for _ in range(times):
        await get_gateway().journal.submit(state(value))


async def test_row_of_an_idle_journal__is_pruned_and_made_anew(journal: Journal, replica: Replica) -> None:
    meanwhile(_forget_commits())
    assert await journal.submit(state("once")) == 2
    assert await states() == ["before", "once"]


async def test_row_that_is_gone_while_a_commit_is_unclear__nothing_is_done_again(
    journal: Journal, replica: Replica, faults: DatabaseFaults
) -> None:
    """Nothing can tell any more; who waits is told so."""
    faults.commits.append("unclear")
    future = journal.post(state("once"))
    await until(lambda: not faults.commits)
    meanwhile(_forget_commits())
    with pytest.raises(OutcomeUnknown):
        await future
    assert await journal.submit(state("after")) == 3
    assert await states() == ["before", "once", "after"]


async def test_retention__keeps_the_rows_of_journals_that_write(journal: Journal, replica: Replica) -> None:
    for kind in kinds():
        await db.writer.call(_prune, kind)
    assert await db.read(JournalCommit.objects.count) == 1


def _prune(kind: Kind) -> int:
    return sum(prune_kind(kind, timezone.now()))


async def _forget_commits() -> None:
    await db.writer.call(JournalCommit.objects.all().delete)


def meanwhile(work: Coroutine[Any, Any, None]) -> None:
    """Do it in another event loop, while the journal of this one cannot go on."""
    other = threading.Thread(target=asyncio.run, args=(work,))
    other.start()
    other.join(60)
    assert not other.is_alive()
