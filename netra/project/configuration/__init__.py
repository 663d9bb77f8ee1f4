"""What the settings of the embedded project are made of.

Lives here: reading the environment, and what each part of it becomes: database, channel layer, secret key, providers.
May come in: `netra.settings`. Read: `environment` first; the others are a setting each.
"""
