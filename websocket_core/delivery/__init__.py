"""Decides what one connection is sent, and when. Pure: no Django, no event loop, no clock. It never decodes a frame.

Each thread has a *lane* with its positions and waiting frames; *threads* are all of them. The *outbox* takes turns
between lanes. *Orders* are due reads of the journal, *pages* their answers. The *flow* is what the client watches, the
*window* what it has not acknowledged. `Delivery`, the machine, combines them.

Only `connections` imports this room, except for types.
Reading order: `lane`, `window`, `outbox`, `orders`, `pages`, `positions`, `threads`, `flow`, `machine`.
"""

from websocket_core.delivery.machine import Delivery
from websocket_core.delivery.orders import Locate, Read

__all__ = ["Delivery", "Locate", "Read"]
