"""Tokens of OpenID Connect issuers as credentials.

`config` has the issuers of `NETRA_OIDC_ISSUERS`, `keys` their public keys, `fetch` bounded requests to their servers
(within a `deadline`), and `access` the check of a token. `websocket_core.auth` and the checks import this room; others
call `identify_token`. Any request to an issuer may use `fetch`.

Reading order: `access`, then `keys`. Answers of an issuer are untrusted input.
"""
