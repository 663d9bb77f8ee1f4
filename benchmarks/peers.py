"""The servers under test, and their scenarios."""

from dataclasses import dataclass, field

ALL = ("stream", "fanout", "paced", "stream_10", "stream_10_idle_1000")


@dataclass(frozen=True)
class Peer:
    """One server under test.

    Attributes:
        kind: how it is started: `netra`, `channels` (on Daphne), `socketio-python`, `socketio-node`.
        dialect: what its clients speak: `netra`, `netra-batch`, `channels`, `socketio`.
        scenarios: in this order, on one server; `idle` comes last, since it leaves its connections' memory behind.
        env: settings; `{valkey}` and `{postgres}` are replaced by the URLs of servers started for it.
        events: of one run of a stream; fewer for a server that would need half a minute for them.
    """

    kind: str
    dialect: str
    scenarios: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    events: int = 200


PEERS = {
    # An idiomatic Channels project on Daphne: group_send for each event, in memory.
    "daphne_mem": Peer("channels", "channels", (*ALL, "idle"), {"PEER_CONSUMER": "group"}),
    # The lower bound of Channels and Daphne: send_json without a channel layer, so only one tab.
    "daphne_direct": Peer("channels", "channels", ("stream", "paced"), {"PEER_CONSUMER": "direct"}),
    # The naive way to store events: one awaited INSERT for each.
    "daphne_durable": Peer("channels", "channels", ("stream",), {"PEER_CONSUMER": "durable"}, events=20),
    "sio_python": Peer("socketio-python", "socketio", ("stream", "fanout", "paced", "idle")),
    "sio_node": Peer("socketio-node", "socketio", ("stream", "fanout", "paced", "idle")),
    "netra": Peer("netra", "netra", (*ALL, "stream_10_idle_5000", "replay")),
    "netra_batch": Peer("netra", "netra-batch", ("stream", "fanout", "paced", "replay")),
    "netra_idle": Peer("netra", "netra", ("idle",)),
    "daphne_pubsub": Peer("channels", "channels", ("stream",), {"PEER_LAYER": "pubsub", "REDIS_URL": "{valkey}"}),
    "netra_postgres": Peer(
        "netra", "netra", ("stream", "paced"), {"REDIS_URL": "{valkey}", "DATABASE_URL": "{postgres}"}
    ),
}
