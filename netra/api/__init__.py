"""The HTTP API beside the socket: same users, same isolation, same runs. OpenAPI at `/api/docs`.

Lives here: the operations (`app`), who calls (`identity`), shapes (`schemas`), the database's side (`reads`, `writes`),
and errors (`problems`); `document` is what Django Ninja does otherwise.
May come in: `netra.urls`, for `api`. Read: `app`, then `reads` and `writes`.
"""

from netra.api.app import api

__all__ = ["api"]
