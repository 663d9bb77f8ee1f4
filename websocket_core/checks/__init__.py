"""What Django's system checks look at before a server serves.

Lives here: checks of the values and names of settings (`settings`), and of what is installed and configured together
(`installation`). The credentials' own checks are in `websocket_core.auth`.
May come in: `websocket_core.apps`, which registers them, and servers, which call `refuse_unsafe_configuration`.
Read: `settings`. Ids: `websocket_core.E0xx` refuse to start, `W0xx` warn.
"""
