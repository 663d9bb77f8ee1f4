"""A site with a user model of its own adds three lines: nothing is missing, and nothing of Netra's project comes."""

import re

from servers.fixtures import MakeSite
from servers.netra import ROOT


def test_migrations_are_whole_and_the_project_s_tables_stay_away(make_site: MakeSite) -> None:
    site = make_site()
    assert "No changes detected" in site.manage("makemigrations", "--check", "--dry-run").text
    site.manage("migrate", "--no-input", "-v", "0")
    found = site.python(
        "from django.db import connection; print(*connection.introspection.table_names())"
    ).stdout.split()
    assert "websocket_core_thread" in found
    assert not {name for name in found if name.startswith("netra_") and not name.startswith("netra_agents")}


def test_check_finds_nothing(make_site: MakeSite) -> None:
    site = make_site()
    assert site.manage("check").text.strip() == "System check identified no issues (0 silenced)."
    assert "Traceback" not in site.manage("check", "--deploy", check=False).text


def test_logging__as_the_settings_page_writes_it(make_site: MakeSite) -> None:
    page = (ROOT / "docs/reference/settings.md").read_text()
    (block,) = re.findall(r"```python\n(LOGGING = .*?)```", page, flags=re.S)
    site = make_site(block)
    code = "import logging; from websocket_core.process.log_context import bound\n"
    code += "with bound('u', run='r7'): logging.getLogger('netra').warning('here')\n"
    assert "WARNING netra here run=r7" in site.python(code + "logging.getLogger('shop').warning('there')").stderr
