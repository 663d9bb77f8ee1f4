#!/usr/bin/env python
"""Django's command line for Netra."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run the management command named on the command line.

    Raises:
        SystemExit: Django is missing, because the wrong Python runs this file; or a setting is wrong.
    """
    # Last, not first, where Python puts it: `import agents` is the OpenAI Agents SDK, not our folder of that name.
    root = str(Path(__file__).resolve().parent)
    sys.path[:] = [*(place for place in sys.path if place not in ("", root)), root]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netra.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            f"Django cannot be imported ({error}). Run 'make setup' once, then use .venv/bin/python manage.py …"
        ) from error
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # says by itself what to write instead; where it was raised helps nobody
        raise SystemExit(f"Netra cannot start: {error}") from None


if __name__ == "__main__":
    main()
