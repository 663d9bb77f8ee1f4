"""Tokens of OpenID Connect issuers as credentials.

Lives here: the issuers of `NETRA_OIDC_ISSUERS` (`config`), their keys (`keys`), asking their servers within bounds
(`fetch`), and judging a token (`access`).
May come in: `websocket_core.auth` and the checks; others ask `identify_token`. `fetch` is for every such request.
Read: `access`, then `keys`. Whatever an issuer answers is a stranger's.
"""
