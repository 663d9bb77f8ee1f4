"""What `/metrics` of a real server tells while its channel layer loses, doubles and delays messages."""

import asyncio
import json

import websockets

from integration.delivery.conftest import StartLoadServer
from servers.process import wait_for
from servers.process_probe import metrics

EVENTS = 400
# Everything that an operator is promised (docs/reference/metrics.md), as `prometheus_client` names the samples.
COUNTERS = (
    *("netra_events_appended_total", "netra_journal_batches_total", "netra_journal_retries_total"),
    *("netra_frames_sent_total", "netra_hints_missed_total", "netra_hints_healed_total"),
    *("netra_window_stalls_total", "netra_socket_stalls_total"),
    *("netra_rings_failed_total", "netra_rings_dropped_total"),
)
GAUGES = ("netra_connections", "netra_tasks", "netra_journal_backlog", "netra_rings_waiting")
HISTOGRAMS = ("netra_journal_batch_events", "netra_journal_commit_seconds", "netra_delivery_seconds")
OF_THE_PROCESS = ("process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total")


LOSSY = {"DJANGO_SETTINGS_MODULE": "tests.integration.faults.faulty_layer", "FAULT": "faulty"}


async def test_metrics__tell_what_is_lost_and_healed(start_load_server: StartLoadServer) -> None:
    server = start_load_server(**LOSSY)
    token = await asyncio.to_thread(server.installation.token, "watched")
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        websockets.connect(server.ws_url, additional_headers=headers) as tab,
        websockets.connect(server.ws_url, additional_headers=headers) as acking,
    ):
        await tab.send(json.dumps({"action": "ping"}))
        await acking.send(json.dumps({"action": "ack", "cursors": {"t": 0}}))  # and never again
        for thread in ("t", "u"):
            given = {"events": EVENTS, "rate": 200, "size": 4096}
            start = {"action": "start_agent", "agent_type": "paced", "thread_id": thread, "input": given}
            await tab.send(json.dumps(start))
        ended = 0
        async with asyncio.timeout(60):
            while ended < 2:
                ended += json.loads(await tab.recv())["event_type"] == "agent_completed"

        def settled() -> bool:
            found = metrics(server)
            return found["netra_journal_backlog"] == 0 and found["netra_window_stalls_total"] >= 1

        await asyncio.to_thread(wait_for, settled, 30, "a full window", pause=0.2)
        found = await asyncio.to_thread(metrics, server)

    events = 2 * (EVENTS + 2)
    assert found["netra_events_appended_total"] == events
    assert found["netra_journal_batch_events_sum"] == events
    assert 0 < found["netra_journal_batches_total"] == found["netra_journal_batch_events_count"]
    assert found["netra_journal_commit_seconds_count"] == found["netra_journal_batches_total"]
    assert found["netra_delivery_seconds_count"] > 0
    assert found["netra_frames_sent_total"] >= events
    assert found["netra_hints_missed_total"] > 0
    assert 0 < found["netra_hints_healed_total"] <= found["netra_hints_missed_total"]
    assert found["netra_connections"] == 2
    assert found["netra_tasks"] > 2
    assert set(COUNTERS + GAUGES + OF_THE_PROCESS) <= found.keys()
    assert {f"{name}_bucket{{+Inf}}" for name in HISTOGRAMS} <= found.keys()

    await asyncio.to_thread(wait_for, lambda: metrics(server)["netra_connections"] == 0, 30, "the end of both")
    assert sum(value for name, value in metrics(server).items() if name.startswith("netra_sockets_closed_t")) == 2
