"""The ASGI server of `manage.py serve`: Daphne with back-pressure, a fast path for frames, and an orderly end."""
