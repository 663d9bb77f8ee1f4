"""HTTP routes of the embedded project. A site of its own includes `netra.urls` instead."""

import re

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from netra import addresses, views
from netra.api import api
from netra.project.accounts.login_pages import not_here
from netra.project.upgrade_page import upgrade_required

# The admin's own log-in form does not limit attempts; the project's does.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.console, name="netra-console"),
    path("console/bootstrap.json", views.bootstrap, name="netra-bootstrap"),
    path("admin/", admin.site.urls),
    path("api/", api.urls),
    re_path(rf"^{re.escape(addresses.socket_path()[1:])}/?\Z", upgrade_required),
    # Pages of django-allauth that would send mail, which Netra does not do.
    re_path(r"^accounts/(?:email|confirm-email|password/reset|login/code)/", not_here),
    path("accounts/", include("allauth.urls")),
]
