"""The targets of the measured ratios."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """`value` of `peer` in `scenario`, as a multiple of that of `base` (or of nothing), compared with two bounds.

    Attributes:
        base: peer, or `peer/scenario`; empty: the value itself is compared.
        at_most: smaller is better.
    """

    title: str
    peer: str
    scenario: str
    value: str
    base: str
    must: float | None
    aim: float | None
    at_most: bool = False


RATE, CPU, P99 = "events_per_s", "cpu_us_per_event", "p99_ms"

TARGETS = (
    Target("stream, single frames, to daphne_mem", "netra", "stream", RATE, "daphne_mem", 2.5, 5),
    Target("stream, single frames, to daphne_durable", "netra", "stream", RATE, "daphne_durable", 35, None),
    Target("stream, single frames, to python-socketio", "netra", "stream", RATE, "sio_python", None, 1),
    Target("stream, batches, to daphne_mem", "netra_batch", "stream", RATE, "daphne_mem", 6, None),
    Target("stream, batches, to daphne_direct", "netra_batch", "stream", RATE, "daphne_direct", 0.9, None),
    Target("stream, batches, to Socket.IO on Node", "netra_batch", "stream", RATE, "sio_node", None, 1),
    Target("fan-out to 20 tabs, to daphne_mem", "netra", "fanout", RATE, "daphne_mem", 3, None),
    Target("fan-out to 20 tabs, to python-socketio", "netra", "fanout", RATE, "sio_python", None, 1),
    Target("fan-out in batches, to Socket.IO on Node", "netra_batch", "fanout", RATE, "sio_node", None, 1),
    Target("1,000 events/s: p99, to daphne_mem", "netra", "paced", P99, "daphne_mem", 0.5, None, at_most=True),
    Target("1,000 events/s: p99 in ms", "netra", "paced", P99, "", None, 5, at_most=True),
    Target("1,000 events/s: CPU, to daphne_mem", "netra", "paced", CPU, "daphne_mem", 0.5, None, at_most=True),
    Target("10 users beside 1,000 idle, to without", "netra", "stream_10_idle_1000", RATE, "netra/stream_10", 0.9, 0.9),
    Target(
        "10 users beside 5,000 idle, to without", "netra", "stream_10_idle_5000", RATE, "netra/stream_10", None, 0.9
    ),
    Target("replay of 10,000 events, batches: events/s", "netra_batch", "replay", RATE, "", 50_000, None),
    Target("idle connection: KiB", "netra_idle", "idle", "kib_per_connection", "", 40, 30, at_most=True),
    Target(
        "stream on PostgreSQL + Valkey, to daphne_pubsub", "netra_postgres", "stream", RATE, "daphne_pubsub", 3, None
    ),
)
