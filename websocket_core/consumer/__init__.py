"""Serves a client's WebSocket: handshake, actions, end.

The *consumer* accepts a client and reads its frames. A *conversation* knows which side may speak. *Handlers* carry out
actions for a *session*. *Patience* runs out with a client that floods. Frames are sent through `asgi_transport`.

Only the composition root imports this room, for `NetraConsumer`.
Reading order: `consumer`, `conversation`, `session`, `handlers`.
"""

from websocket_core.consumer.consumer import NetraConsumer

__all__ = ["NetraConsumer"]
