"""The HTTP API beside the socket: same users, same isolation, same runs. OpenAPI at `/api/docs`."""

from netra.api.app import api

__all__ = ["api"]
