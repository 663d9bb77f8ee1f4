"""The parts of the embedded project's settings.

Lives here: reading the environment, and turning it into settings: database, channel layer, secret key, providers.
May come in: `netra.settings`. Read: `environment` first; each of the others makes one setting.
"""
