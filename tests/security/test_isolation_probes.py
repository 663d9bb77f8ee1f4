"""User B names everything that is user A's, in every action and at every address: the answers are those for names that
never existed, in status, shape and text.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from integration.netra.api.api_caller import Caller
from security.fixtures import log_in
from security.probe_agents import asking, marked
from test_framework.ssot.factories import AUTH0, GITHUB
from websocket_core.database import db
from websocket_core.ids import new_id
from websocket_core.models import AccessToken, Connection, Thread
from websocket_core.testing.sockets import Client

pytestmark = pytest.mark.django_db(transaction=True)

MARKER = "what-only-ann-may-read"
TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Victim:
    """User A, with something of everything.

    Attributes:
        names: what an attacker could have learned, by kind.
        client: A's own connection.
    """

    def __init__(self, client: Client, names: dict[str, str]) -> None:
        self.client, self.names = client, names

    def made_up(self) -> dict[str, str]:
        """Names of the same form that never existed."""
        return {kind: str(int(name) + 1_000_000) if name.isdigit() else new_id() for kind, name in self.names.items()}


@pytest.fixture
async def victim(join, make) -> Victim:
    make(marked, name="probe_marked")
    make(asking, name="probe_asking")
    client = await join(AUTH0)
    done = await client.start("probe_marked", input={"marker": MARKER})
    await client.finish(done)
    await client.start("probe_asking", input={"marker": MARKER}, thread_id=done["thread_id"])
    asked = await client.until("approval_requested")
    token = await AccessToken.objects.filter(user_id=AUTH0).afirst()
    connection = await Connection.objects.filter(user_id=AUTH0).afirst()
    thread = await Thread.objects.aget(owner_id=AUTH0)
    assert token
    assert connection
    names = {
        "thread": done["thread_id"],
        "done": done["run_id"],
        "waiting": asked["run_id"],
        "approval": asked["data"]["approval_id"],
        "connection": connection.connection_id,
        "token": str(token.pk),
        "thread_pk": str(thread.pk),
    }
    return Victim(client, names)


def masked(value: Any, names: dict[str, str]) -> str:
    """Text of an answer without what may differ: the names that were asked about, times, and what is new each time."""
    text = value if isinstance(value, str) else repr(value)
    for kind, name in sorted(names.items(), key=lambda item: -len(item[1])):
        # Numbers only in addresses: elsewhere they count something.
        text = text.replace(f"/{name}/", f"/<{kind}>/") if name.isdigit() else text.replace(name, f"<{kind}>")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<new>", text)
    return re.sub(r"'duration_ms': [\d.]+", "'duration_ms': 0", TIMES.sub("<time>", text))


def actions(names: dict[str, str], own_run: str) -> list[dict[str, Any]]:
    """Every action that takes a name, with every name where it fits and where it does not."""
    every = [name for name in names.values() if not name.isdigit()]
    found: list[dict[str, Any]] = []
    for name in every:
        found += [
            {"action": "stop_agent", "run_id": name},
            {"action": "resume", "cursors": {name: 0}},
            {"action": "resume", "cursors": {name: 1}},
            {"action": "resume", "cursors": {name: 10**6}},
            {"action": "watch", "threads": [name]},
            {"action": "ack", "cursors": {name: 1}},
            {"action": "ack", "cursors": {name: 0}},
            {"action": "authenticate", "token": name},
            {"action": "respond", "run_id": own_run, "approval_id": name, "approved": True},
        ]
        found += [
            {"action": "respond", "run_id": name, "approval_id": approval, "approved": True} for approval in every
        ]
    return [*found, {"action": "watch", "threads": "*"}, {"action": "sync"}]


async def told(client: Client, messages: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """What came for each of these actions."""
    answers = []
    for number, message in enumerate(messages):
        await client.send_json({**message, "request_id": "r"})
        await client.send("ping", payload=f"end-{number}")
        frames: list[dict[str, Any]] = []
        while not frames or frames[-1].get("payload") != f"end-{number}":
            frames.append(await client.receive_json())
        answers.append(frames[:-1])
    return answers


async def test_actions__answer_as_for_names_that_never_existed(victim, join, settings):
    settings.NETRA_ACTIONS_PER_SECOND = 0.0
    made_up = victim.made_up()
    attacker = await join(GITHUB)
    own = await attacker.start("probe_marked", input={"marker": "bob"})
    await attacker.finish(own)
    real, invented = (actions(names, own["run_id"]) for names in (victim.names, made_up))
    for message, about_real, about_invented in zip(
        real, await told(attacker, real), await told(attacker, invented), strict=True
    ):
        assert masked(about_real, victim.names) == masked(about_invented, made_up), message
        assert MARKER not in repr(about_real)


async def test_start_agent__with_foreign_names_is_a_run_of_one_s_own(victim, join):
    made_up = victim.made_up()
    seen = []
    for names in (victim.names, made_up):
        attacker = await join(GITHUB)
        started = await attacker.start(
            "probe_marked", thread_id=names["thread"], run_id=names["done"], input={"marker": "bob"}
        )
        events = await attacker.finish(started)
        again = await attacker.ask("resume", cursors={names["thread"]: 0})
        while again["event_type"] != "resumed":
            again = await attacker.until("resumed")
        seen.append(masked([*events, again], names))
        assert MARKER not in repr(attacker.frames)
    assert seen[0] == seen[1]
    last = await Thread.objects.aget(owner_id=AUTH0)
    assert last.last_seq == len(victim.client.oracle.run(last.thread_id, victim.names["done"])) + 2


async def test_victim__notices_nothing(victim, join, settings):
    settings.NETRA_ACTIONS_PER_SECOND = 0.0
    while not await victim.client.receive_nothing(0.2):
        pass
    attacker = await join(GITHUB)
    own = await attacker.start("probe_marked", input={"marker": "bob"}, thread_id=victim.names["thread"])
    await attacker.finish(own)
    await told(attacker, actions(victim.names, own["run_id"]))
    script = await Caller.of(GITHUB)
    for method, path, body in calls(victim.names):
        await script.send(method, path, body)
    assert await victim.client.receive_nothing(0.5)
    await victim.client.send(
        "respond", run_id=victim.names["waiting"], approval_id=victim.names["approval"], approved=True
    )
    assert (await victim.client.until("agent_completed"))["data"]["result"] == {"approved": True}


def calls(names: dict[str, str]) -> list[tuple[str, str, Any]]:
    """Every address of the API that takes a name."""
    found: list[tuple[str, str, Any]] = []
    for name in (name for name in names.values() if not name.isdigit()):
        found += [
            ("GET", f"/threads/{name}", None),
            ("PATCH", f"/threads/{name}", {"title": "mine"}),
            ("DELETE", f"/threads/{name}", None),
            ("GET", f"/threads/{name}/events", None),
            ("GET", f"/threads/{name}/events?after=1", None),
            ("GET", f"/threads/{name}/runs", None),
            ("GET", f"/threads/{name}/runs?before={names['done']}", None),
            ("GET", f"/threads?before=2099-01-01T00:00:00.000000Z~{name}", None),
            ("GET", f"/runs/{name}", None),
            ("POST", f"/runs/{name}/stop", None),
            ("POST", f"/runs/{name}/approvals/{names['approval']}", {"approved": True}),
        ]
    return [*found, ("DELETE", f"/tokens/{names['token']}", None)]


async def test_api__answers_as_for_names_that_never_existed(victim, settings):
    settings.NETRA_ACTIONS_PER_SECOND = 0.0
    made_up = victim.made_up()
    script = await Caller.of(GITHUB)
    for (method, path, body), (_, other, _) in zip(calls(victim.names), calls(made_up), strict=True):
        one, two = await script.send(method, path, body), await script.send(method, other, body)
        assert one.status_code == two.status_code
        assert one.status_code in (200, 404, 422), path
        assert masked(one.content.decode(), victim.names) == masked(two.content.decode(), made_up), path
        headers = [{k: v for k, v in answer.items() if k not in ("Content-Length", "ETag")} for answer in (one, two)]
        assert headers[0] == headers[1]
        assert MARKER not in one.content.decode()
    assert (await script.get("/threads"))["threads"] == []
    assert len((await script.get("/tokens"))["tokens"]) == 1


@pytest.mark.parametrize("staff", [False, True])
async def test_admin__addresses_tell_nobody_what_exists(victim, staff):
    """Neither a user, nor a member of staff without permissions."""
    user = await db.read(lambda: User.objects.create_user("mallory", is_staff=staff))
    web = AsyncClient()
    web.cookies["sessionid"] = await db.read(log_in, user)
    made_up = victim.made_up()
    pages = [
        ("websocket_core/thread", "thread_pk"),
        ("websocket_core/connection", "connection"),
        ("websocket_core/event", "thread_pk"),
        ("websocket_core/accesstoken", "token"),
        ("netra_agents/run", "thread_pk"),
        ("netra_agents/approval", "thread_pk"),
    ]
    for page, kind in pages:
        answers = []
        for names in (victim.names, made_up):
            answer = await web.get(f"/admin/{page}/{names[kind]}/change/")
            assert answer.status_code in (302, 403), page
            answers.append((answer.status_code, answer.get("Location"), masked(answer.content.decode(), names)))
        assert masked(repr(answers[0]), victim.names) == masked(repr(answers[1]), made_up)
        assert (await web.get(f"/admin/{page}/")).status_code in (302, 403)
