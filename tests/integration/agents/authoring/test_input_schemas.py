"""`input_schema` on every way in: the socket, HTTP, the run service, code without a client. A refusal leaves no run."""

from typing import Any

import pytest

from integration.netra.api.api_caller import Caller, problem
from netra.agents import AgentRegistry
from netra.agents.models import Run
from netra.agents.service import get_runtime
from test_framework.ssot.factories import create_test_manager
from websocket_core.errors import InvalidAction
from websocket_core.models import Event, Thread
from websocket_core.protocols.run_service import StartRequest
from websocket_core.testing.sockets import RecordingWebSocket

pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = {
    "type": "object",
    "required": ["message"],
    "properties": {"message": {"type": "string"}, "rows": {"type": "array", "items": {"type": "integer"}}},
    "additionalProperties": False,
}


@pytest.fixture
def strict(make) -> str:
    async def body(ctx: Any, input: Any) -> Any:
        return input

    make(body, name="strict", aliases=("strict_alias",), input_schema=SCHEMA)
    return "strict"


WRONG = [
    (None, "input.message"),
    ({"message": 5}, "input.message"),
    ({"message": "hi", "rows": [1, "two"]}, "input.rows.1"),
    ({"message": "hi", "is_admin": True}, "input.is_admin"),
    ([1], "input"),
]


async def nothing_was_begun() -> bool:
    return not [kind async for kind in Run.objects.values_list("pk")] and not await Thread.objects.acount()


@pytest.mark.parametrize(("input", "field"), WRONG)
@pytest.mark.parametrize("name", ["strict", "strict_alias"])
async def test_on_the_socket(join, strict, name, input, field) -> None:
    client = await join()
    error = await client.ask("start_agent", agent_type=name, input=input, run_id="r")
    assert (error["event_type"], error["code"], error["field"]) == ("error", "invalid_action", field)
    assert await nothing_was_begun()
    events = await client.finish(await client.start(name, input="hi", run_id="r"))  # the id is still free
    assert events[-1]["data"]["result"] == {"message": "hi"}


@pytest.mark.parametrize(("input", "field"), WRONG)
async def test_over_http(strict, input, field) -> None:
    ann = await Caller.of("ann")
    answer = await ann.send("POST", "/runs", {"agent_type": "strict", "input": input, "run_id": "r"})
    assert problem(answer, 422, "invalid_action")["field"] == field
    assert await nothing_was_begun()


@pytest.mark.parametrize(("input", "field"), WRONG)
async def test_in_the_run_service(strict, input, field) -> None:
    with pytest.raises(InvalidAction) as caught:
        await get_runtime().start(
            StartRequest(user_id="ann", agent_type="strict", thread_id="t", run_id="r", input=input)
        )
    assert caught.value.fields["field"] == field
    assert await nothing_was_begun()


@pytest.mark.parametrize(("input", "field"), WRONG)
async def test_without_a_client(strict, input, field) -> None:
    manager, websocket = create_test_manager(), RecordingWebSocket()
    await manager.add_connection(websocket)
    registry = AgentRegistry()
    registry.set_websocket_manager(manager)
    with pytest.raises(InvalidAction) as caught:
        await registry.create_agent("strict").execute_with_websocket_events(input)
    assert caught.value.fields["field"] == field
    assert not await Event.objects.acount()
    assert await registry.create_agent("strict").execute_with_websocket_events("hi") == {"message": "hi"}


async def test_a_run_that_is_there_is_answered_the_same_whatever_comes_with_its_id(join, strict) -> None:
    ann = await Caller.of("ann")
    first = await ann.post("/runs", {"agent_type": "strict", "input": "hi", "run_id": "r"}, 201)
    for input in (None, {"message": 5}):
        again = await ann.post("/runs", {"agent_type": "strict", "input": input, "run_id": "r"})
        assert again == {**first, "existing": True}
