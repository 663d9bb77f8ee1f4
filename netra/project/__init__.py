"""The embedded project, `netra.settings`: what a site of its own brings itself.

Lives here: addresses, log-in and accounts, what the settings are made of, pages that replace Django's.
May come in: `netra.settings` alone; nothing in the apps knows of this package.
Read: `netra/settings.py`, then `urls`, `asgi`, `apps`; `configuration/` and `accounts/` as they are needed.
"""
