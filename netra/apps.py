"""Netra as a Django app, so that its commands, templates, static files and checks are found."""

from __future__ import annotations

from django.apps import AppConfig


class NetraConfig(AppConfig):
    """Console, HTTP API, admin pages and commands, for any Django project."""

    name = "netra"
    verbose_name = "Netra"
