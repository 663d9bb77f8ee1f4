"""What one connection is sent, and when. Pure: no Django, no event loop, no clock; it never looks into a frame.

Lives here: a thread's *lane* holds its positions and the frames that wait, *threads* are all of them; the *outbox*
takes turns between lanes; *orders* are the reads of the journal that are due, *pages* their answers; the *flow* is what
the client watches, the *window* what it has not acknowledged. `Delivery`, the machine, is all of it.
May come in: `connections` alone, for the names below, and whoever names their types.
Read: `lane`, `window`, `outbox`, `orders`, `pages`, `positions`, `threads`, `flow`, `machine`.
"""

from websocket_core.delivery.machine import Delivery
from websocket_core.delivery.orders import Locate, Read

__all__ = ["Delivery", "Locate", "Read"]
