"""Runs over HTTP: start, read, list, stop, respond; the same runs as the socket's."""

import asyncio

import pytest

from integration.netra.api.api_caller import Caller, problem

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def ann() -> Caller:
    return await Caller.of("ann")


@pytest.fixture
def waiting(make):
    async def wait(ctx, input):
        await asyncio.Event().wait()

    make(wait, name="waiting")


@pytest.fixture
def asking(make):
    async def ask(ctx, input):
        decision = await ctx.approve("Send it?", tool_name="mail", arguments={"to": "ann"})
        return {"approved": decision.approved, "value": decision.value}

    make(ask, name="asking")


async def test_agents__are_listed_with_what_they_take(ann):
    [test] = [agent for agent in await ann.get("/agents") if agent["name"] == "test"]
    assert test["aliases"] == ["test_agent"]
    assert test["description"]


async def test_start__is_seen_on_the_socket(ann, join):
    client = await join("ann")
    assert (await client.ask("ping"))["event_type"] == "pong"
    started = await ann.post("/runs", {"agent_type": "test_agent", "input": "hello", "request_id": "r1"}, 201)
    assert started["existing"] is False
    event = await client.until("agent_started", run_id=started["run_id"], thread_id=started["thread_id"])
    assert event["data"] == {"agent_type": "test", "input": {"message": "hello"}, "request_id": "r1"}
    events = await client.finish(event)
    run = await ann.get(f"/runs/{started['run_id']}")
    assert run["status"] == "completed"
    assert run["result"] == events[-1]["data"]["result"] == {"echo": {"message": "hello"}}
    assert (run["agent_type"], run["input"], run["code"]) == ("test", {"message": "hello"}, None)


async def test_start_again__starts_nothing(ann):
    run = await ann.run(run_id="my-run", thread_id="my-thread")
    again = await ann.post("/runs", {"agent_type": "test", "run_id": "my-run"})
    assert again == {"run_id": "my-run", "thread_id": "my-thread", "existing": True}
    assert await ann.get("/runs/my-run") == run
    other = {"agent_type": "test", "run_id": "my-run", "thread_id": "other"}
    assert problem(await ann.send("POST", "/runs", other), 422, "invalid_action")["field"] == "thread_id"


async def test_start__bad_fields(ann):
    for body, field in (
        ({}, "agent_type"),
        ({"agent_type": ""}, "agent_type"),
        ({"agent_type": 3}, "agent_type"),
        ({"agent_type": "x" * 129}, "agent_type"),
        ({"agent_type": "test", "thread_id": "a b"}, "thread_id"),
        ({"agent_type": "test", "thread_id": "a\n"}, "thread_id"),
        ({"agent_type": "test", "run_id": "x" * 129}, "run_id"),
        ({"agent_type": "test", "if_busy": "perhaps"}, "if_busy"),
        ({"agent_type": "test", "input": {"a": ["\x00"]}}, "input"),
        ({"agent_type": "test", "request_id": "x" * 129}, "request_id"),
    ):
        assert problem(await ann.send("POST", "/runs", body), 422, "invalid_action")["field"] == field


async def test_start__refusals_have_the_wire_s_codes(ann, waiting, settings):
    problem(await ann.send("POST", "/runs", {"agent_type": "nobody"}), 422, "unknown_agent")
    large = {"agent_type": "test", "input": "x" * 300_000}
    problem(await ann.send("POST", "/runs", large), 413, "too_large")
    first = await ann.post("/runs", {"agent_type": "waiting", "thread_id": "t"}, 201)
    busy = await ann.send("POST", "/runs", {"agent_type": "waiting", "thread_id": "t", "if_busy": "reject"})
    assert problem(busy, 409, "thread_busy")["active_run_id"] == first["run_id"]
    settings.NETRA_RUNS_PER_USER = 1
    problem(await ann.send("POST", "/runs", {"agent_type": "waiting"}), 429, "run_limit")


async def test_numbers__arrive_exactly(ann):
    number = 2**80 + 1
    body = b'{"agent_type": "test", "input": {"n": %d}}' % number
    answer = await ann.send("POST", "/runs", body)
    if answer.status_code != 201:
        problem(answer, 400, "invalid_json")
        return
    run_id = (await ann.get("/threads"))["threads"][0]["active_run_id"]
    assert f'"n":{number}' in (await ann.send("GET", f"/runs/{run_id}")).content.decode().replace(" ", "")


async def test_runs__are_listed_newest_first_in_pages(ann):
    ids = [(await ann.run(thread_id="t"))["run_id"] for _ in range(5)]
    seen: list[str] = []
    before: str | None = ""
    while before is not None:
        page = await ann.get(f"/threads/t/runs?limit=2{before}")
        seen += [run["run_id"] for run in page["runs"]]
        before = page["next_before"] and f"&before={page['next_before']}"
    assert seen == ids[::-1]
    problem(await ann.send("GET", "/threads/t/runs?before=nothing"), 404, "not_found")
    assert (await ann.get("/threads/t/runs?limit=5"))["next_before"] is None


async def test_stop__ends_the_run_with_the_reason(ann, join, waiting):
    client = await join("ann")
    run = await client.start("waiting")
    answer = await ann.post(f"/runs/{run['run_id']}/stop", {"reason": "enough"}, 202)
    assert answer["run_id"] == run["run_id"]
    assert (await client.finish(run))[-1]["data"] == {"reason": "enough"}
    problem(await ann.send("POST", f"/runs/{run['run_id']}/stop"), 409, "run_finished")
    problem(await ann.send("POST", "/runs/nothing/stop"), 404, "not_found")
    bad = await ann.send("POST", f"/runs/{run['run_id']}/stop", {"reason": "x" * 1025})
    assert problem(bad, 422, "invalid_action")["field"] == "reason"


@pytest.mark.parametrize("approved", [True, False])
async def test_respond__once(ann, join, asking, approved):
    client = await join("ann")
    run = await client.start("asking")
    asked = await client.until("approval_requested")
    path = f"/runs/{run['run_id']}/approvals/{asked['data']['approval_id']}"
    await ann.post(path, {"approved": approved, "value": {"n": [1]}})
    result = (await client.finish(run))[-1]["data"]["result"]
    assert result == {"approved": approved, "value": {"n": [1]}}
    again = problem(await ann.send("POST", path, {"approved": not approved}), 409, "already_decided")
    assert again["decision"]["approved"] is approved
    problem(await ann.send("POST", f"/runs/{run['run_id']}/approvals/other", {"approved": True}), 404, "not_found")


async def test_respond__with_edited_arguments(ann, join, make):
    async def body(ctx, input):
        decision = await ctx.approve("?", arguments={"n": 1}, edit=True)
        return decision.arguments

    make(body)
    client = await join("ann")
    run = await client.start("made")
    asked = await client.until("approval_requested")
    path = f"/runs/{run['run_id']}/approvals/{asked['data']['approval_id']}"
    for wrong in ({"approved": False, "arguments": {"n": 2}}, {"approved": True, "arguments": "n"}):
        assert problem(await ann.send("POST", path, wrong), 422, "invalid_action")["field"].startswith("arguments")
    await ann.post(path, {"approved": True, "arguments": {"n": 2}})
    assert (await client.finish(run))[-1]["data"]["result"] == {"n": 2}
    again = problem(await ann.send("POST", path, {"approved": True, "arguments": {"n": 3}}), 409, "already_decided")
    assert again["decision"] == {"approved": True, "value": None, "arguments": {"n": 2}}


async def test_respond__only_true_and_false_decide(ann):
    for approved in (1, "yes", None, "true"):
        answer = await ann.send("POST", "/runs/r/approvals/a", {"approved": approved})
        assert problem(answer, 422, "invalid_action")["field"] == "approved"
