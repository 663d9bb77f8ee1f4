"""One socket that hears of two owners' threads of the same name: each thread keeps its own place."""

import pytest

from test_framework.gateway import settle
from test_framework.ssot.factories import GITHUB, GOOGLE, create_test_manager
from websocket_core.gateway import get_gateway
from websocket_core.testing.sockets import RecordingWebSocket

pytestmark = pytest.mark.django_db(transaction=True)


async def test_threads_of_one_name__of_two_owners__do_not_collide():
    mine, theirs = (create_test_manager(owner, thread_id="t") for owner in (GOOGLE, GITHUB))
    websocket = RecordingWebSocket()
    await mine.add_connection(websocket)
    for number in range(3):
        await theirs.emit_critical_event(GITHUB, "agent_state", {"state": f"theirs {number}"})
    await mine.emit_critical_event(GOOGLE, "agent_state", {"state": "mine"})
    (connection,) = get_gateway().hub.connections()
    connection.moved((GITHUB, "t"), 3)  # read from the other owner's journal
    await connection.drained()
    await mine.emit_critical_event(GOOGLE, "agent_state", {"state": "mine again"})
    connection.hint(GITHUB, [["t", 4, 4, ['{"data":{"state":"theirs 3"}}']]])
    await settle()
    states = [frame["data"]["state"] for frame in websocket.frames]
    assert states == ["mine", "theirs 0", "theirs 1", "theirs 2", "mine again", "theirs 3"]
