"""The secret key of an installation without `SECRET_KEY`.

A key is generated once and kept in a file that only its owner can read, so that sessions survive a restart and no
two installations share a key. Deployments should set `SECRET_KEY`; `manage.py check --deploy` says so.
"""

import os
import secrets
import time
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from netra.project.configuration.private_files import make_folder, make_private

KEY_BYTES = 50
DIFFERENT = 5
_ADVICE = (
    "Set the environment variable SECRET_KEY to a long random text, the same in every process "
    "(python -c 'import secrets; print(secrets.token_urlsafe(50))' prints one)"
)


def require_strong(key: str, name: str = "SECRET_KEY") -> None:
    """Refuse a key that can be guessed, by the measure of Django's own check (`security.W009`).

    Args:
        key: the key.
        name: the variable it came from, for the message.

    Raises:
        ImproperlyConfigured: it is short, repeats few characters, or is the one of a new project.
    """
    if len(key) < KEY_BYTES or len(set(key)) < DIFFERENT or key.startswith("django-insecure-"):
        raise ImproperlyConfigured(
            f"{name} can be guessed: it needs at least {KEY_BYTES} characters, at least {DIFFERENT} of them different. "
            f"{_ADVICE}."
        )


def load_or_create(path: Path) -> str:
    """Return the key stored in `path`; create one if there is none.

    Processes that start together agree on one key: the file appears with its whole content in one step, and the
    first one wins.

    Raises:
        ImproperlyConfigured: the file can be neither read nor created, or it is empty.
    """
    try:
        make_folder(path.parent)
        if path.exists():
            make_private(path)
        else:
            _create(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"SECRET_KEY is not set and no key can be kept in {path} ({error}). {_ADVICE}, "
            "or NETRA_DATA_DIR to a folder that can be written to."
        ) from error
    if len(key) < KEY_BYTES:
        raise ImproperlyConfigured(f"{path} holds no usable secret key. Delete it to get a new one. {_ADVICE}.")
    return key


def _create(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(KEY_BYTES) + "\n")
        os.link(draft, path)  # fails if another process was first; then that process's key is used
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
