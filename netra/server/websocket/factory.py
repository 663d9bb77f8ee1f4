"""The factory of a server's WebSockets."""

from __future__ import annotations

from daphne.ws_protocol import WebSocketFactory
from daphne.ws_protocol import WebSocketProtocol as DaphneWebSocketProtocol

from netra.server.ports import ServerSide
from netra.server.websocket.protocol import WebSocketProtocol


def protocol_class(factory: WebSocketFactory) -> type[WebSocketProtocol]:
    """Return the protocol with the factory's options as class attributes.

    Autobahn copies some thirty of them to each connection, and formats them for its debug log.
    """
    options = {name: getattr(factory, name) for name in DaphneWebSocketProtocol.CONFIG_ATTRS}
    options = {name: staticmethod(value) if callable(value) else value for name, value in options.items()}
    return type("WebSocketProtocol", (WebSocketProtocol,), options)


def make_factory(server: ServerSide) -> WebSocketFactory:
    """Return the factory of a server's WebSockets."""
    limits = server.limits
    factory = WebSocketFactory(server, server=server.server_name)
    factory.setProtocolOptions(
        allowNullOrigin=True,  # the application checks origins
        openHandshakeTimeout=0,  # see check_timeouts(); Autobahn's timers go off up to a second early
        closeHandshakeTimeout=0,
        maxMessagePayloadSize=limits.message,
        maxFramePayloadSize=limits.message,
        failByDrop=False,  # say why with a close frame, 1009 for instance, instead of cutting the connection
        utf8validateIncoming=False,  # Python validates when it decodes
        perMessageCompressionAccept=lambda offers: None,
    )
    factory.protocol = protocol_class(factory)
    return factory
