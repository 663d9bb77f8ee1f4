"""The dotted path for `CHANNEL_LAYERS`: `websocket_core.layers.InProcessChannelLayer`.

It is stable wherever the layer itself lives, because it is part of the settings of installations.
"""

from __future__ import annotations

from websocket_core.bell.in_process_layer import InProcessChannelLayer

__all__ = ["InProcessChannelLayer"]
