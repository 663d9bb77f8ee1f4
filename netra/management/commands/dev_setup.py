"""`manage.py dev_setup`: what `make run` does before it serves."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from netra import dev_users


class Command(BaseCommand):
    help = "Bring the database up to date, make the development users, print where to go and how to log in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8000/", help="address that the server will have")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        path = Path(settings.DATA_DIR) / "dev_users.json"
        users = dev_users.ensure(path)
        lines = ["", f"  Netra is at  {url}", ""]
        for user in users:
            told = f"password  {user.password}" if user.password else "with the password you have given it"
            lines.append(f"  log in as    {user.username:<7} {told}")
        lines += ["", f"  The admin user also reaches {url}admin/ - the passwords are kept in {_short(path)}", ""]
        self.stdout.write("\n".join(lines))


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
