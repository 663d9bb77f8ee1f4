"""docs/howto/uninstall.md, word by word: nothing of Netra's is left in a site's database."""

import re
from textwrap import dedent

from servers.fixtures import MakeSite
from servers.netra import ROOT

PAGE = (ROOT / "docs/howto/uninstall.md").read_text()
LEFT = """
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection

labels = ("websocket_core", "netra_agents", "netra")
print("tables", [name for name in connection.introspection.table_names() if name.startswith(labels)])
print("types", ContentType.objects.filter(app_label__in=labels).count())
known = [one.label for one in apps.get_app_configs()]
print("permissions", Permission.objects.exclude(content_type__app_label__in=known).count())
"""


def test_what_the_page_says__leaves_nothing(make_site: MakeSite) -> None:
    site = make_site()
    site.manage("migrate", "--no-input", "-v", "0")
    assert "types 0" not in site.python(LEFT).stdout
    migrate, types = (dedent(block) for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.S))
    for line in migrate.strip().splitlines():
        site.manage(*line.strip().removeprefix("python manage.py ").split())
    site.manage("shell", "-c", dedent(types.split('"')[1]))
    site.write("acme/urls.py", "urlpatterns = []\n")
    with (site.folder / "acme/settings.py").open("a") as settings:
        settings.write(
            "\nfor _name in ('websocket_core', 'netra.agents', 'netra'):\n    INSTALLED_APPS.remove(_name)\n"
        )
        settings.write("CHANNEL_LAYERS = {}\n")
    assert site.python(LEFT).stdout.split("\n")[:3] == ["tables []", "types 0", "permissions 0"]
    assert "no issues" in site.manage("check").text
