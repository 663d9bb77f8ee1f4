"""Django's user pages, with links to Netra's data about each user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.utils.safestring import SafeString

from websocket_core.admin.lists import links

if TYPE_CHECKING:
    _UserAdmin = UserAdmin[User]
else:
    _UserAdmin = UserAdmin

# Importing Django's own user admin above has registered it; here it is replaced.
admin.site.unregister(User)


@admin.register(User)
class NetraUserAdmin(_UserAdmin):
    """Django's page of a user, with links to the user's connections, threads and runs."""

    readonly_fields = (*UserAdmin.readonly_fields, "netra")
    fieldsets: ClassVar[Any] = (*(UserAdmin.fieldsets or ()), ("Netra", {"fields": ("netra",)}))

    @admin.display(description="See")
    def netra(self, user: User) -> SafeString | str:
        """Links to the user's connections, threads and runs."""
        return links.SiteLinks(self.admin_site.name).lists_of_user(str(user.pk)) if user.pk else "-"
