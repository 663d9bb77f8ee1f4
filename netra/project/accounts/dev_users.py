"""The two users of a development installation: one to try the console with, one for the admin.

Their passwords are random, generated once and stored in a file that only its owner can read, so that the next start
prints the same ones.
"""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User

from netra.project.configuration.private_files import make_folder, make_private

PASSWORD_BYTES = 9
ROLES = {"dev": False, "admin": True}  # user name → is a superuser


@dataclass(frozen=True, kw_only=True)
class DevUser:
    """One user and the text to print; `password` is None if only its owner knows it."""

    username: str
    password: str | None


def ensure(path: Path) -> list[DevUser]:
    """Create the missing users and return all of them. Existing users are never changed.

    Raises:
        OSError: the file at `path` cannot be read or written.
    """
    make_private(path)
    kept = _read(path)
    users = []
    for username, is_admin in ROLES.items():
        user = User.objects.filter(username=username).first()
        password = kept.get(username, {}).get("password")
        if user is None:
            password = password or secrets.token_urlsafe(PASSWORD_BYTES)
            kept[username] = {"password": password}
            _write(path, kept)  # before the user: a password that was not stored would be lost
            user = User.objects.create_user(username, password=password, is_staff=is_admin, is_superuser=is_admin)
        if password is not None and kept[username].get("encoded") != user.password:
            # Checking is slow by design, so it is done once for every stored form of a password.
            if user.check_password(password):
                kept[username]["encoded"] = user.password
                _write(path, kept)
            else:
                password = None
        users.append(DevUser(username=username, password=password))
    return users


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        kept: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return kept


def _write(path: Path, kept: dict[str, dict[str, str]]) -> None:
    make_folder(path.parent)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(kept, file, indent=2)
    draft.replace(path)
