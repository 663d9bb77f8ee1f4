"""Migrates, and creates a token `netra_USER` for each of the load generator's users."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.netra_bench.settings")
import django

django.setup()
from django.core.management import call_command
from django.utils import timezone

from websocket_core.auth.tokens import digest
from websocket_core.models import AccessToken

call_command("migrate", verbosity=0)
users = (
    [f"u{n}" for n in range(200)]
    + [f"bg{n}" for n in range(6000)]
    + [f"i{n}" for n in range(6000)]
    + ["warm", "fan", "tab"]
)
AccessToken.objects.bulk_create(
    [AccessToken(user_id=user, digest=digest(f"netra_{user}"), created_at=timezone.now()) for user in users],
    ignore_conflicts=True,
)
