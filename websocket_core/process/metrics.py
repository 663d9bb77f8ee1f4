"""The process's metrics, for Prometheus.

Labels contain no user ids: there would be too many, and they are private.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

events_appended = Counter("netra_events_appended", "Events committed to the journal by this process.")
batches = Counter("netra_journal_batches", "Transactions committed by the journal.")
batch_events = Histogram(
    "netra_journal_batch_events", "Events per transaction.", buckets=(0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
)
commit_seconds = Histogram(
    "netra_journal_commit_seconds",
    "Duration of a transaction of the journal in seconds.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
)
journal_retries = Counter("netra_journal_retries", "Transactions retried because the database was unavailable.")
journal_backlog = Gauge("netra_journal_backlog", "Operations waiting to be committed.")
waiting_rings = Gauge("netra_rings_waiting", "News waiting for the channel layer.")
rings_failed = Counter("netra_rings_failed", "Attempts to send news that the channel layer failed.")
rings_dropped = Counter("netra_rings_dropped", "News dropped because too much was waiting.")
layer_dropped = Counter(
    "netra_layer_dropped",
    "Messages dropped by the in-process channel layer, because the channel was full or they expired.",
    ["reason"],
)
connections = Gauge("netra_connections", "Open WebSockets of this process.")
tasks = Gauge("netra_tasks", "Tasks of the event loops that serve sockets.")
delivery_seconds = Histogram(
    "netra_delivery_seconds",
    "Seconds from an event's commit until a socket's transport has it.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30),
)
hints_missed = Counter("netra_hints_missed", "Gaps in the events that came by the channel layer.")
hints_healed = Counter("netra_hints_healed", "Gaps filled from the journal.")
window_stalls = Counter("netra_window_stalls", "Times that a connection had to wait for the client's ack.")
socket_stalls = Counter("netra_socket_stalls", "Times that a connection had to wait until its socket accepted more.")
frames_sent = Counter("netra_frames_sent", "Event frames passed to sockets.")
sockets_closed = Counter("netra_sockets_closed", "Closed WebSockets, by close code.", ["code"])
errors_sent = Counter("netra_errors_sent", "Error frames sent, by code.", ["code"])
protocol_compliant = Gauge(
    "netra_manager_protocol_compliant", "1 when the configured manager follows WebSocketManagerProtocol."
)
