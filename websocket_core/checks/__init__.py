"""The system checks that run before a server serves.

`settings` checks the values and names of settings, `installation` what is installed and configured together. The checks
of credentials are in `websocket_core.auth`. `websocket_core.apps` registers the checks, and servers call
`refuse_unsafe_configuration`.

Start reading with `settings`. Checks with ids `websocket_core.E0xx` prevent the start, `W0xx` only warn.
"""
