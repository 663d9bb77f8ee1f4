"""`manage.py issue_token USER_ID [--ttl SECONDS]`: prints a bearer token and nothing else."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.db.models import Q

from websocket_core.auth import tokens
from websocket_core.auth.accounts import users_by_id
from websocket_core.conf import conf
from websocket_core.management.database_command import DatabaseCommand


class Command(DatabaseCommand):
    """Issues a first-party token for any user id. No user row is needed."""

    requires_system_checks: list[str] = []  # scripts call it often, and the checks load every view of the site
    help = "Print a bearer token for USER_ID and nothing else. It is shown only once; the database stores a digest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user_id", metavar="USER_ID", help="the user of the token: 1 to 255 characters")
        parser.add_argument(
            "--ttl", type=float, metavar="SECONDS", help=f"how long it is valid (default: {conf.TOKEN_DAYS:g} days)"
        )
        parser.add_argument("--label", default="manage.py issue_token", help="a note for people, shown in the admin")

    def handle(self, *args: Any, user_id: str, ttl: float | None, label: str, **options: Any) -> None:
        try:
            lifetime = None if ttl is None else timedelta(seconds=ttl)
        except (ValueError, OverflowError):
            raise CommandError("No token was issued: --ttl must be a number of seconds, for instance 3600.") from None
        try:
            text, _ = tokens.issue(user_id, lifetime, label)
        except ValueError as error:
            raise CommandError(f"No token was issued: {error}.") from None
        account = named_account(user_id)
        if account is not None:
            self.stderr.write(
                f"{user_id!r} is the name of the account with id {account}. This token is not for that account, but "
                f"for a separate user. For the account, run: manage.py issue_token {account}"
            )
        self.stdout.write(text)


def named_account(user_id: str) -> str | None:
    """The id of the account with this *name* or mail address, if no account has it as its id."""
    if users_by_id([user_id]):
        return None
    model = get_user_model()
    names = {model.USERNAME_FIELD, model.get_email_field_name()} & {field.name for field in model._meta.get_fields()}
    wanted = Q(pk__in=())
    for name in names:
        wanted |= Q(**{f"{name}__iexact": user_id})
    found = model._default_manager.filter(wanted).first()
    return None if found is None else str(found.pk)
