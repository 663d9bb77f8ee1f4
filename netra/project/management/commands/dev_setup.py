"""`manage.py dev_setup`: prepares a development installation; `make run` calls it before it serves."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from netra.project.accounts import dev_users
from netra.server.listening import CannotListenError, tcp


class Command(BaseCommand):
    help = "Update the database, create the development users, print the address and how to log in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", help="address that the server will have; its port must be free")

    def handle(self, *args: Any, url: str | None, **options: Any) -> None:
        if url is not None:
            _look_at_port(url)
        url = url or "http://127.0.0.1:8000/"
        call_command("migrate", interactive=False, verbosity=0)
        path = Path(settings.DATA_DIR) / "dev_users.json"
        users = dev_users.ensure(path)
        lines = ["", f"  Netra is at  {url}", ""]
        for user in users:
            told = f"password  {user.password}" if user.password else "with the password that you have set"
            lines.append(f"  log in as    {user.username:<7} {told}")
        lines += ["", f"  The admin user also reaches {url}admin/ - the passwords are kept in {_short(path)}", ""]
        self.stdout.write("\n".join(lines))


def _look_at_port(url: str) -> None:
    """Report that the port is taken, before printing an address that belongs to another program."""
    parts = urlsplit(url)
    try:
        tcp(parts.hostname or "127.0.0.1", 80 if parts.port is None else parts.port).close()
    except (CannotListenError, ValueError) as error:
        text = str(error).replace("another --port", "another port: make run PORT=8001")
        text = text.replace("another --host", "another host: make run HOST=127.0.0.1")
        raise CommandError(text.replace("a --port", "a port like PORT=8001")) from None


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
