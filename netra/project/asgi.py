"""The embedded project's ASGI application: Netra around Django."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netra.settings")
django_application = get_asgi_application()  # loads the models that the imports below need

from netra.asgi import netra_application  # noqa: E402
from netra.request_bodies import BodyLimit  # noqa: E402
from websocket_core.checks.installation import refuse_unsafe_configuration  # noqa: E402

refuse_unsafe_configuration()  # `daphne netra.asgi:application` runs no system checks by itself
application = netra_application(BodyLimit(django_application))
