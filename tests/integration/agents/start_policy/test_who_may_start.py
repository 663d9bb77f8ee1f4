"""Who may start what: on the socket, over HTTP, in lists; and what others can tell of it."""

from __future__ import annotations

import asyncio
import io
import sys
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client as Browser

from integration.agents.authoring.test_docs_examples import example, run_example
from integration.agents.start_policy import policies
from integration.netra.api.api_caller import Caller, problem
from netra.agents.errors import UnknownAgentError
from netra.agents.models import Run
from netra.agents.service import get_runtime
from netra.agents.start_policy import startable_here
from websocket_core.database import db
from websocket_core.protocols.run_service import StartRequest

pytestmark = pytest.mark.django_db(transaction=True)
MODULE = "integration.agents.start_policy.policies"


async def body(ctx: Any, input: Any) -> str:
    return "done"


async def account(name: str, *permissions: str, **fields: Any) -> str:
    """The id of a new account."""

    def make() -> str:
        user = User.objects.create_user(name, **fields)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        return str(user.pk)

    return await db.write(make)


async def refusal(join: Any, user_id: str, agent_type: str, **fields: Any) -> dict[str, Any]:
    """What a start is answered, without what belongs to the start."""
    client = await join(user_id)
    frame = await client.ask("start_agent", agent_type=agent_type, **fields)
    return {name: value for name, value in frame.items() if name not in ("reply_to", "timestamp", "request_id")}


def test_permission__is_one_of_django_s(make):
    for wrong in ("refund", "shop.", ".refund", None, 5):
        with pytest.raises(ValueError, match="permission of agent made must be a Django permission like"):
            make(body, permission=wrong)


async def test_permission__who_has_it_starts(join, make):
    make(body, "guarded", permission="auth.add_group")
    user = await account("ann", "add_group")
    client = await join(user)
    assert (await client.finish(await client.start("guarded")))[-1]["data"]["result"] == "done"


@pytest.mark.parametrize("given", [{}, {"input": {"n": "no number"}}, {"thread_id": "t", "run_id": "r"}])
async def test_refused__is_answered_as_an_unknown_name_is(join, make, given):
    """Also for an input that the agent would refuse: its schema would tell that it is there."""
    make(body, "guarded", permission="auth.add_group", input_schema={"properties": {"n": {"type": "integer"}}})
    user = await account("ann")
    refused = await refusal(join, user, "guarded", **given)
    unknown = await refusal(join, user, "gardened", **given)
    assert refused["code"] == "unknown_agent"
    assert {**refused, "message": refused["message"].replace("guarded", "gardened")} == unknown
    assert not await Run.objects.aexists()


async def test_refused__over_http(make):
    make(body, "guarded", permission="auth.add_group")
    caller = await Caller.of(await account("ann"))
    refused = problem(await caller.send("POST", "/runs", {"agent_type": "guarded"}), 422, "unknown_agent")
    unknown = problem(await caller.send("POST", "/runs", {"agent_type": "gardened"}), 422, "unknown_agent")
    assert {**refused, "detail": refused["detail"].replace("guarded", "gardened")} == unknown


async def test_refused__by_alias_under_the_name_that_was_given(join, make):
    make(body, "guarded", permission="auth.add_group", aliases=("protected",))
    assert "'protected'" in (await refusal(join, await account("ann"), "protected"))["message"]


async def test_limit_of_starts__counts_both_alike(join, make, settings):
    settings.NETRA_STARTS_PER_MINUTE = 3
    make(body, "guarded", permission="auth.add_group")
    client = await join(await account("ann"))
    answers = [(await client.ask("start_agent", agent_type=name))["code"] for name in ["guarded", "gardened"] * 2]
    assert answers == ["unknown_agent"] * 3 + ["rate_limited"]


async def test_unknown_name__costs_what_a_refusal_costs(make, settings):
    make(body, "guarded", permission="auth.add_group")
    user = await account("ann")
    asked: dict[str, list[str]] = {}

    def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked[name].append(sql)
        return execute(sql, params, many, context)

    settings.NETRA_DB_THREADS = 1
    for name in ("guarded", "gardened"):
        asked[name] = []
        db.close_all()  # the next thread listens from its beginning, and the one before no more
        await db.readers.call(_listened, listen)
        with pytest.raises(UnknownAgentError):
            await get_runtime().start(StartRequest(user_id=user, agent_type=name))
    db.close_all()
    assert asked["guarded"]
    assert asked["guarded"] == asked["gardened"]


def _listened(listen: Any) -> None:
    from django.db import connection

    if listen not in connection.execute_wrappers:
        connection.execute_wrappers.append(listen)


@pytest.mark.parametrize("policy", ["staff_alone", "staff_alone_async", "hands_a_coroutine_on"])
async def test_policy__decides(join, make, settings, policy):
    make(body, "guarded")
    settings.NETRA_CAN_START = f"{MODULE}.{policy}"
    staff, other = await account("boss", is_staff=True), await account("ann")
    client = await join(staff)
    assert (await client.finish(await client.start("guarded")))[-1]["data"]["result"] == "done"
    assert (await refusal(join, other, "guarded"))["code"] == "unknown_agent"


async def test_policy__gets_account_name_and_input_in_a_thread_of_its_own(join, make, settings):
    make(body, "guarded", aliases=("protected",))
    settings.NETRA_CAN_START = f"{MODULE}.staff_alone"
    policies.asked.clear()
    policies.threads.clear()
    user = await account("boss", is_staff=True)
    client = await join(user)
    await client.finish(await client.start("protected", input="seven"))
    [(asked, agent_type, given)] = policies.asked
    assert (type(asked), str(asked.pk), agent_type, given) == (User, user, "guarded", {"message": "seven"})
    assert all(name.startswith("netra-policy") for name in policies.threads)


async def test_policy__an_input_that_does_not_fit_is_not_shown_to_it(join, make, settings):
    make(body, "guarded", input_schema={"required": ["order"]})
    settings.NETRA_CAN_START = f"{MODULE}.staff_alone"
    policies.asked.clear()
    answer = await refusal(join, await account("boss", is_staff=True), "guarded", input={"other": 1})
    assert answer["code"] == "invalid_action"  # who may know of the agent is told what is wrong
    assert [given for _, _, given in policies.asked] == [None]


async def test_policy__a_query_is_looked_at(join, make, settings):
    make(body, "guarded")
    settings.NETRA_CAN_START = f"{MODULE}.of_a_group"
    user = await account("ann")
    assert (await refusal(join, user, "guarded"))["code"] == "unknown_agent"
    await db.write(lambda: Group.objects.create(name="guarded").user_set.set([int(user)]))
    client = await join(user)
    await client.finish(await client.start("guarded"))


@pytest.mark.parametrize("policy", ["raises", "exits", "takes_one", "not_there"])
async def test_policy__that_fails_refuses_and_is_logged(join, make, settings, caplog, policy):
    make(body, "guarded")
    settings.NETRA_CAN_START = f"{MODULE}.{policy}"
    assert (await refusal(join, await account("boss", is_superuser=True), "guarded"))["code"] == "unknown_agent"
    assert "NETRA_CAN_START failed for agent guarded; the user may not start it" in caplog.text


async def test_token_of_nobody__has_no_permission_and_is_shown_to_the_policy(join, make, settings):
    make(body, "guarded", permission="auth.add_group")
    make(body, "free")
    for user_id in ("google|7", "made-up", "99999"):
        assert (await refusal(join, user_id, "guarded"))["code"] == "unknown_agent"
    settings.NETRA_CAN_START = f"{MODULE}.staff_alone"
    policies.asked.clear()
    assert (await refusal(join, "google|7", "free"))["code"] == "unknown_agent"
    [(user, _, _)] = policies.asked
    assert (user.pk, user.id, user.get_username(), str(user)) == ("google|7",) * 4
    assert (user.is_authenticated, user.is_staff, user.has_perm("auth.add_group")) == (True, False, False)


async def test_lists__name_what_the_user_may_start(make, settings):
    make(body, "guarded", permission="auth.add_group")
    may, other = await account("ann", "add_group"), await account("bob")
    names = {
        user: {agent["name"] for agent in await (await Caller.of(user)).get("/agents")} for user in (may, other, "x|1")
    }
    assert names[may] - names[other] == {"guarded"}
    assert names[other] == names["x|1"]
    shown = {user: await asyncio.to_thread(_bootstrap, user) for user in (may, other)}
    assert shown[may] - shown[other] == {"guarded"}
    for policy in ("staff_alone", "staff_alone_async", "hands_a_coroutine_on"):
        settings.NETRA_CAN_START = f"{MODULE}.{policy}"
        assert await (await Caller.of(other)).get("/agents") == []
        assert await asyncio.to_thread(_bootstrap, other) == set()


def _bootstrap(user_id: str) -> set[str]:
    """The agents in the console's picker."""
    from django.db import connections
    from django.urls import reverse

    browser = Browser()
    browser.force_login(User.objects.get(pk=user_id), "django.contrib.auth.backends.ModelBackend")
    found = {agent["name"] for agent in browser.get(reverse("netra-bootstrap")).json()["agents"]}
    connections.close_all()
    return found


async def test_run_that_was_allowed__goes_on(join, make, settings):
    """Queued, and named again, after the permission is gone."""
    make(body, "guarded", permission="auth.add_group")
    begun = asyncio.Event()
    go = asyncio.Event()

    async def first(ctx: Any, input: Any) -> None:
        begun.set()
        await go.wait()

    make(first, "first")
    user = await account("ann", "add_group")
    client = await join(user)
    await client.start("first", thread_id="t")
    await begun.wait()
    await client.send("start_agent", agent_type="guarded", thread_id="t", run_id="queued")
    await client.until("run_queued")
    await db.write(lambda: User.objects.get(pk=user).user_permissions.clear())
    outcome = await get_runtime().start(StartRequest(user_id=user, agent_type="guarded", run_id="queued"))
    assert outcome.existing
    go.set()
    assert (await client.until("agent_completed", run_id="queued"))["data"]["result"] == "done"
    assert (await refusal(join, user, "guarded"))["code"] == "unknown_agent"


def test_start_from_the_site_s_own_transaction__is_judged_as_well(make, settings):
    kind = make(body, "guarded", permission="auth.add_group")
    user = User.objects.create_user("ann")

    def judged(user_id: str = str(user.pk), input: Any = None) -> Any:
        return startable_here(user_id, "guarded", lambda kind: kind.name, input)

    for user_id in (str(user.pk), "x|1"):
        with pytest.raises(UnknownAgentError, match="No agent is called 'guarded'"):
            judged(user_id)
    user.user_permissions.add(Permission.objects.get(codename="add_group"))
    assert judged() == (kind, "guarded")
    for policy in ("staff_alone", "staff_alone_async", "raises"):
        settings.NETRA_CAN_START = f"{MODULE}.{policy}"
        with pytest.raises(UnknownAgentError, match="No agent is called 'guarded'"):
            judged()


def test_command__says_who_may_start_what(make, settings):
    make(body, "guarded", permission="auth.add_group")
    user = User.objects.create_user("ann")

    def printed(*arguments: str) -> list[list[str]]:
        out = io.StringIO()
        call_command("agents", *arguments, stdout=out)
        return [line.split(None, 2) for line in out.getvalue().splitlines()]

    rows = {name: who for name, _, who in printed()}
    assert (rows["guarded"], rows["test"]) == ("who has the permission auth.add_group", "everybody")
    assert "guarded" not in {row[0] for row in printed("--user", str(user.pk))}
    settings.NETRA_CAN_START = f"{MODULE}.staff_alone"
    rows = {name: who for name, _, who in printed()}
    assert rows["guarded"] == f"who has the permission auth.add_group, if {MODULE}.staff_alone says yes"
    assert rows["test"] == f"those for whom {MODULE}.staff_alone says yes"


@pytest.mark.parametrize("policy", ["takes_one", "not_there"])
def test_check__names_a_policy_that_cannot_be_asked(settings, policy):
    settings.NETRA_CAN_START = f"{MODULE}.{policy}"
    [found] = [found for found in run_checks(tags=["netra"]) if found.id == "netra_agents.E006"]
    assert "NETRA_CAN_START" in found.msg


async def test_documented_agent_and_policy(join, make, settings, monkeypatch):
    page = "docs/howto/who-may-start-what.md"
    run_example(page, 0)
    user = await account("ann", is_staff=True, is_superuser=True)
    module = ModuleType("shop_policy")
    exec(example(page, 1), module.__dict__)  # noqa: S102 - what readers are told to write
    monkeypatch.setitem(sys.modules, "shop_policy", module)
    settings.NETRA_CAN_START = "shop_policy.can_start"
    client = await join(user)
    done = await client.finish(await client.start("refund", input={"order": 7}))
    assert done[-1]["data"]["result"] == {"refunded": 7}
    assert (await refusal(join, user, "refund", input={"order": 1000}))["code"] == "unknown_agent"
    assert "refund" in {agent["name"] for agent in await (await Caller.of(user)).get("/agents")}
