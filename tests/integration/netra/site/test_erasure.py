"""Erasing a user: everything is gone, of this user alone, whatever goes on meanwhile."""

import asyncio
from contextlib import suppress

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import models, transaction

import netra
from netra.agents.ledger.leases import ClaimRun
from netra.agents.models import Erasure, RequestedStart, Run
from netra.agents.service import erasure, get_runtime
from netra.agents.service.requested_starts import request_start
from test_framework.gateway import issue_token
from websocket_core import UserExecutionContext, create_websocket_manager
from websocket_core.auth.identity import Identity
from websocket_core.auth.tickets import issue_ticket
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.ids import UserID
from websocket_core.models import AccessToken, Thread
from websocket_core.protocols.run_service import StartRequest
from websocket_core.testing.sockets import SocketClosed

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 20
ROOMS = ("websocket_core", "netra_agents")


@pytest.fixture
def patient(make) -> None:
    """An agent that goes on until it is stopped, and one that remembers."""

    async def waits(ctx, input):
        await asyncio.Event().wait()

    async def remembers(ctx, input):
        await ctx.remember("key", f"a secret of {ctx.user_id}".encode())
        await ctx.approve(f"Shall I, {ctx.user_id}?")

    make(waits, name="waits")
    make(remembers, name="remembers")


def rows_that_name(user: str) -> list[str]:
    """Every row of Netra's, in whatever table, in which a user's id or a text of theirs is."""
    found = []
    for room in ROOMS:
        for model in apps.get_app_config(room).get_models():
            texts = [
                field for field in model._meta.concrete_fields if isinstance(field, models.CharField | models.TextField)
            ]
            wanted = models.Q(pk__in=())
            for field in texts:
                wanted |= models.Q(**{f"{field.name}__contains": user})
            found += [f"{model.__name__} {row}" for row in model._base_manager.filter(wanted)]
    return found


async def fill(user: str) -> None:
    """Give a user one of everything."""
    await issue_token(user)
    await issue_ticket(Identity(UserID(user), "token", "key"))
    await (await netra.astart("test", f"hello {user}", user=user, thread_id=f"of-{user}")).await_(SECONDS)
    deleted = await (await netra.astart("test", f"hello {user}", user=user)).await_(SECONDS)
    await db.write(lambda: Thread.objects.filter(thread_id=deleted.thread_id).update(deleted_at=deleted.ended_at))
    await netra.astart("remembers", f"hello {user}", user=user)
    for _ in range(2):
        await netra.astart("waits", f"hello {user}", user=user, thread_id="waiting")
    await db.write(lambda: request_start(StartRequest(user_id=user, agent_type="test", input=user)))
    manager = create_websocket_manager(UserExecutionContext(user, f"bare-{user}", "r"))
    await manager.emit_critical_event(user, "agent_started", {"input": user})


async def test_erase__nothing_is_left__of_this_user_alone(each_database, patient, join) -> None:
    for user in ("annabel", "bob"):
        await fill(user)
    mine, other = await join("annabel"), await join("bob")
    for client in (mine, other):
        await client.ask("ping")
    moving = ("OwnerDay", "RequestedStart")  # the sweeper begins bob's
    before = [row for row in await db.read(rows_that_name, "bob") if not row.startswith(moving)]
    assert await db.read(rows_that_name, "annabel")
    async with asyncio.timeout(60):
        await netra.aerase("annabel")
    assert await db.read(rows_that_name, "annabel") == []
    with suppress(SocketClosed):
        async with asyncio.timeout(SECONDS):
            while True:
                await mine.receive_json(SECONDS)
    assert set(before) <= set(await db.read(rows_that_name, "bob"))
    assert (await other.ask("ping"))["event_type"] == "pong"
    assert await db.read(Run.objects.filter(owner_id="bob", status__in=["running", "waiting"]).count) == 2
    await netra.aerase("annabel")  # nothing of nobody
    assert not await db.read(Erasure.objects.exists)
    again = await (await netra.astart("test", user="annabel", thread_id="of-annabel")).await_(SECONDS)
    assert again.status == "completed"
    await netra.aerase("bob")


async def test_erase__the_process_dies_in_the_middle__another_goes_on(patient, monkeypatch) -> None:
    await fill("annabel")
    monkeypatch.setattr(erasure, "LEFT_SECONDS", 0.0)

    class DiesError(BaseException):
        pass

    pages = 0

    def told() -> None:
        nonlocal pages
        pages += 1
        if pages == 3:
            raise DiesError

    with pytest.raises(DiesError):
        await get_runtime().erasures.erase("annabel", told=told)
    assert await db.read(rows_that_name, "annabel")
    await get_runtime().erasures.go_on()
    async with asyncio.timeout(60):
        while await db.read(rows_that_name, "annabel"):  # noqa: ASYNC110 - the database cannot tell
            await asyncio.sleep(0.05)


async def test_erase__within_a_transaction__after_the_commit() -> None:
    await (await netra.astart("test", user="annabel")).await_(SECONDS)

    def view(fails: bool) -> None:
        try:
            with transaction.atomic():
                netra.erase("annabel")
                if fails:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass

    await asyncio.to_thread(view, True)
    assert len([thread async for thread in netra.athreads("annabel")]) == 1
    await asyncio.to_thread(view, False)
    assert await db.read(rows_that_name, "annabel") == []


async def test_erase__a_run_whose_worker_died__ends(patient) -> None:
    get_gateway().serves = False  # so that nobody executes it
    run = await get_runtime().start(StartRequest(user_id="annabel", agent_type="waits"))
    await get_gateway().journal.submit(ClaimRun("annabel", run.thread_id, "a process that died"))
    await db.write(lambda: Run.objects.filter(run_id=run.run_id).update(lease_until="2020-01-01T00:00Z"))
    get_gateway().serves = True
    async with asyncio.timeout(60):
        await netra.aerase("annabel")
    assert await db.read(rows_that_name, "annabel") == []


def test_command__asks__and_erases(capsys) -> None:
    AccessToken.objects.create(user_id="annabel", digest="d", created_at="2026-01-01T00:00Z")
    call_command("erase_user", "annabel", "--dry-run")
    assert "Would delete 1 tokens. Nothing was deleted." in capsys.readouterr().out
    with pytest.raises(CommandError, match="Say --yes"):
        call_command("erase_user", "annabel")
    with pytest.raises(CommandError, match="is not a UserID"):
        call_command("erase_user", "")
    assert AccessToken.objects.count() == 1
    call_command("erase_user", "annabel", "--yes")
    assert capsys.readouterr().out.strip() == "Deleted 1 tokens."
    assert rows_that_name("annabel") == []
    assert not RequestedStart.objects.exists()
