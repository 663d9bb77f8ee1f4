"""Killed servers: an approval stays pending and answerable, and a thread knows what was said before."""

import sqlite3
from pathlib import Path

import websockets

from servers.fixtures import MakeInstallation, StartServer
from servers.netra import Installation, NetraServer
from servers.process import wait_for
from websocket_core.testing.sockets import Client

TESTS = str(Path(__file__).resolve().parents[3])
MODULES = {"NETRA_AGENT_MODULES": "integration.agents.adapters.agents_that_rest", "PYTHONPATH": TESTS}
AGENTS = ("seller", "selling-graph")


async def client_of(server: NetraServer, token: str) -> Client:
    """A client with nothing behind it but the network."""
    headers = {"Authorization": f"Bearer {token}"}
    return Client(await websockets.connect(server.ws_url, additional_headers=headers, proxy=None))  # type: ignore[arg-type]


def resting(installation: Installation) -> int:
    """How many runs rest in the database."""
    database = sqlite3.connect(f"file:{installation.folder / 'db.sqlite3'}?mode=ro", uri=True)
    try:
        count: int = database.execute("select count(*) from netra_agents_run where resting").fetchone()[0]
        return count
    finally:
        database.close()


async def test_approvals_outlive_the_server_and_threads_remember(
    make_installation: MakeInstallation, start_server: StartServer
):
    installation = make_installation(env=MODULES)
    token = installation.token("ada")
    server = start_server(installation=installation)
    client = await client_of(server, token)
    runs, asked = {}, {}
    for agent in AGENTS:
        runs[agent] = await client.start(agent, thread_id=agent, input={"message": "Sell the boat"})
        asked[agent] = (await client.until("approval_requested"))["data"]
    # A run rests right after its request, in a commit of its own; killed in between it would be `worker_lost`.
    wait_for(lambda: resting(installation) == len(AGENTS), 60, "resting")
    server.kill()

    server.start()
    client = await client_of(server, token)
    for agent in AGENTS:
        await client.send("resume", cursors={agent: 0})
        assert (await client.until("approval_requested"))["data"] == asked[agent]
        approval_id = asked[agent]["approval_id"]
        await client.send("respond", run_id=runs[agent]["run_id"], approval_id=approval_id, approved=True)
        assert "sold boat" in (await client.until("agent_completed"))["data"]["result"]
    server.kill()

    server.start()
    client = await client_of(server, token)
    for agent in AGENTS:
        run = await client.start(agent, thread_id=agent, input={"message": "And now?"})
        approval_id = (await client.until("approval_requested"))["data"]["approval_id"]
        await client.send("respond", run_id=run["run_id"], approval_id=approval_id, approved=False)
        result = (await client.until("agent_completed"))["data"]["result"]
        assert result.index("Sell the boat") < result.index("sold boat") < result.index("And now?")
