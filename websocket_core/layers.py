"""The dotted path that `CHANNEL_LAYERS` names: `websocket_core.layers.InProcessChannelLayer`.

It stays the same wherever the layer itself lives, since it stands in the settings of installations.
"""

from __future__ import annotations

from websocket_core.bell.in_process_layer import InProcessChannelLayer

__all__ = ["InProcessChannelLayer"]
