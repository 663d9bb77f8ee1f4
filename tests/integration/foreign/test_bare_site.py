"""A site with a user model of its own adds three lines: nothing is missing, and nothing of Netra's project comes."""

from servers.fixtures import MakeSite


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
    assert "netra" not in site.manage("check", "--deploy", check=False).text.replace("NETRA", "netra").lower()
