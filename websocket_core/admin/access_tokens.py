"""First-party bearer tokens. The database does not contain the secret, and the page does not show the whole digest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse

from websocket_core.admin import confirm
from websocket_core.admin.lists.filters import ChoiceFilter, IndexedUserFilter
from websocket_core.admin.lists.read_only import ReadOnlyAdmin, log_action
from websocket_core.admin.moments import column
from websocket_core.models import AccessToken

MOMENTS = tuple(column(name) for name in ("created_at", "expires_at", "revoked_at"))


class ValidityFilter(ChoiceFilter):
    """Whether the token is valid."""

    title = "state"
    parameter_name = "state"
    options: ClassVar = {
        "valid": ("Valid", Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=Now()))),
        "expired": ("Expired", Q(revoked_at=None, expires_at__lte=Now())),
        "revoked": ("Revoked", Q(revoked_at__isnull=False)),
    }


@admin.register(AccessToken)
class AccessTokenAdmin(ReadOnlyAdmin):
    """The newest tokens first."""

    prefix_fields = ("user_id", "label")
    list_display = ("__str__", "user", "state", *MOMENTS)
    list_filter = (ValidityFilter, IndexedUserFilter)
    search_fields = ("label",)
    search_help_text = "A label or a user id, complete or its beginning."
    actions = ("revoke",)
    fields = ("label", "user_page", "state", "fingerprint", *MOMENTS)
    readonly_fields = ("user_page", "state", "fingerprint", *MOMENTS)

    @admin.display(description="State")
    def state(self, row: AccessToken) -> str:
        """Whether the token is valid."""
        if row.revoked_at is not None:
            return "revoked"
        if row.expires_at is not None and row.expires_at <= datetime.now(UTC):
            return "expired"
        return "valid"

    @admin.display(description="Fingerprint")
    def fingerprint(self, row: AccessToken) -> str:
        """Enough to compare with, but too short to be mistaken for a token."""
        return f"SHA-256 of the token begins with {row.digest[:8]}. The token itself is not stored."

    def offers(self, action: str, row: AccessToken) -> bool:
        """Only a token that is not revoked can be revoked."""
        return row.revoked_at is None

    @admin.action(description="Revoke selected access tokens", permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        """Revoke these tokens after a confirmation. Sockets opened with them are closed within seconds."""
        open_ones = list(rows.filter(revoked_at=None)[: confirm.MOST_ROWS])
        if open_ones and not confirm.is_confirmed(request):
            return confirm.ask(
                self,
                request,
                open_ones,
                action="revoke",
                question="Revoke access tokens?",
                consequence="Their clients are disconnected within seconds. This cannot be undone. Runs continue.",
                button="Revoke",
            )
        pks = [row.pk for row in open_ones]
        revoked = AccessToken.objects.filter(pk__in=pks, revoked_at=None).update(revoked_at=datetime.now(UTC))
        log_action(self, request, open_ones, "Revoked.")
        if revoked:
            noun = "token is" if revoked == 1 else "tokens are"
            self.message_user(request, f"{revoked} access {noun} revoked.", "success")
        else:
            self.message_user(request, "The selected access tokens are already revoked.", "warning")
        return confirm.back(request)

    revoke.button = "Revoke"  # type: ignore[attr-defined]
