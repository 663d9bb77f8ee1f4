"""What serves a WebSocket of a client: handshake, actions, end.

Lives here: the *consumer* lets a client in and reads what it sends; a *conversation* knows who may speak; *handlers*
carry actions out, with a *session* at hand; *patience* ends with a client that floods; frames leave through
`asgi_transport`.
May come in: the composition root, for `NetraConsumer`. Read: `consumer`, `conversation`, `session`, `handlers`.
"""

from websocket_core.consumer.consumer import NetraConsumer

__all__ = ["NetraConsumer"]
