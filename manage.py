#!/usr/bin/env python
"""Django's command line for Netra."""

import os
import sys


def main() -> None:
    """Run the management command named on the command line.

    Raises:
        SystemExit: Django is missing, because the wrong Python runs this file.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netra.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            f"Django cannot be imported ({error}). Run 'make setup' once, then use .venv/bin/python manage.py …"
        ) from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
