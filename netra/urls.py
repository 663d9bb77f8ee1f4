"""What a site includes: `path("netra/", include("netra.urls"))`. The admin and accounts stay the site's own."""

from django.urls import URLPattern, URLResolver, path

from netra import health, views
from netra.request_transactions import exempt
from websocket_core.conf.extras import is_installed

urlpatterns: list[URLPattern | URLResolver] = [
    path("console/", views.console, name="netra-console"),
    path("console/bootstrap.json", views.bootstrap, name="netra-bootstrap"),
    path("healthz", health.healthz, name="netra-healthz"),
    path("readyz", health.readyz, name="netra-readyz"),
    path("metrics", health.prometheus, name="netra-metrics"),
]
if is_installed("ninja"):  # otherwise a check reports that there is no HTTP API, and names the extra
    from netra.api import api

    urlpatterns.append(path("api/", api.urls))

exempt(urlpatterns)
