"""The embedded project's ASGI application: Netra around Django."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from netra.asgi import netra_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netra.settings")
application = netra_application(get_asgi_application())
