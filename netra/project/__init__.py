"""The embedded project, `netra.settings`: the parts that a site of its own would provide itself.

Lives here: URLs, log-in and accounts, the parts of the settings, pages that replace Django's.
May come in: `netra.settings` alone; nothing in the apps knows of this package.
Read: `netra/settings.py`, then `urls`, `asgi`, `apps`; `configuration/` and `accounts/` as they are needed.
"""
