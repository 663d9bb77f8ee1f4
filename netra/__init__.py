"""The Django project: settings, server, pages and HTTP interface around `agents` and `websocket_core`."""
