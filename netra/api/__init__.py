"""The HTTP API, which complements the socket: same users, same isolation, same runs. OpenAPI at `/api/docs`.

Lives here: the operations (`app`), authentication (`identity`), shapes (`schemas`), database access (`reads`,
`writes`), and errors (`problems`); `document` changes what Django Ninja does by default.
May come in: `netra.urls`, for `api`. Read: `app`, then `reads` and `writes`.
"""

from netra.api.app import api

__all__ = ["api"]
