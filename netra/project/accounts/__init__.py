"""Log-in and accounts of the embedded project, with django-allauth.

Lives here: who may sign up, how failures of an identity provider are handled, the users of a development installation.
May come in: the embedded project. Read: `login_adapters`, then the middlewares `private_pages` and `login_trouble`.
"""
