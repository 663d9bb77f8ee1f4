"""The project as a Django app, so that its commands, templates, static files and checks are found."""

from django.apps import AppConfig


class NetraConfig(AppConfig):
    """Registers the checks of the project's own settings."""

    name = "netra"
    verbose_name = "Netra"

    def ready(self) -> None:
        """Import the checks, which register themselves."""
        from netra import checks  # noqa: F401
