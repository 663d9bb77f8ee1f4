"""A small Django project that is not Netra's and has added Netra, as a team would that has never seen this repository.

It has users of its own (`accounts.User`: a UUID as primary key, an e-mail address as name), stock settings, and the
three lines of Netra's. Everything runs in processes of its own, in a folder of its own. The checkout stands at the end
of `sys.path`, where an installed package would.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from servers.netra import COMMAND_SECONDS, ROOT, clean_environment
from servers.process import ServerProcess, accepts_connections, free_port

SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "foreign-site-" + "k" * 50
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "accounts",
    "websocket_core",
    "netra.agents",
    "netra",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "acme.urls"
ASGI_APPLICATION = "acme.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def sqlite(name):
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / f"{name}.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
        "TEST": {"NAME": str(BASE_DIR / f"test-{name}.sqlite3")},
    }


DATABASES = {"default": sqlite("db")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_LAYERS = {"default": {"BACKEND": "websocket_core.layers.InProcessChannelLayer"}}
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = True
STATIC_URL = "static/"
"""

URLS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("netra/", include("netra.urls"))]
"""

ASGI = """
import os

from django.core.asgi import get_asgi_application

from netra.asgi import netra_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acme.settings")
application = netra_application(get_asgi_application())
"""

USER = """
import uuid

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class UserManager(BaseUserManager):
    def create_user(self, email, password=None, **fields):
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email, password=None, **fields):
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)

    objects = UserManager()
    USERNAME_FIELD = "email"
"""

USER_MIGRATION = """
import uuid

from django.db import migrations, models

import accounts.models


class Migration(migrations.Migration):
    initial = True
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]
    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("email", models.EmailField(max_length=254, unique=True)),
                ("is_active", models.BooleanField(default=True)),
                ("is_staff", models.BooleanField(default=False)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each "
                        "of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={"abstract": False},
        )
    ]
"""

# The site's folder first, the checkout last. `-c`, not a file: Python puts a file's folder first by itself.
START = f"""
import sys
sys.path[:] = [sys.argv[1], *(place for place in sys.path if place not in ("", {str(ROOT)!r})), {str(ROOT)!r}]
del sys.argv[1]
"""
MANAGE = f"{START}\nfrom django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)"
MODULE = f"{START}\nimport runpy\ndel sys.argv[0]\nrunpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
SETUP = f"{START}\nimport django\ndjango.setup()\n"


@dataclass(frozen=True)
class Done:
    """The result of a site's command."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """The command's complete output."""
        return self.stdout + self.stderr


class ForeignSite:
    """One foreign project.

    Args:
        folder: does not exist yet.
        settings: Python that is appended to the site's settings; it may change every name of `SETTINGS`.
        files: text by path within the folder, for instance `{"shop/__init__.py": "", "shop/agents.py": "…"}`. They come
            beside the site's own, and in their place.
        env: environment variables of all its processes.
    """

    def __init__(
        self,
        folder: Path,
        settings: str = "",
        files: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.env = clean_environment({"DJANGO_SETTINGS_MODULE": "acme.settings", **(env or {})})
        self._programs = 0
        texts = {
            "acme/__init__.py": "",
            "acme/settings.py": f"{SETTINGS}\n{settings}\n",
            "acme/urls.py": URLS,
            "acme/asgi.py": ASGI,
            "accounts/__init__.py": "",
            "accounts/models.py": USER,
            "accounts/migrations/__init__.py": "",
            "accounts/migrations/0001_initial.py": USER_MIGRATION,
            **(files or {}),
        }
        for name, text in texts.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write a file of the site."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def manage(self, *arguments: str, check: bool = True, seconds: float = COMMAND_SECONDS) -> Done:
        """Run `manage.py` with these arguments.

        Raises:
            AssertionError: it failed, unless `check` is off.
            subprocess.TimeoutExpired: it hangs.
        """
        return self._run(MANAGE, *arguments, check=check, seconds=seconds)

    def python(self, code: str, *, check: bool = True, seconds: float = COMMAND_SECONDS) -> Done:
        """Run Python after `django.setup()`; see `manage`."""
        return self._run(SETUP + code, check=check, seconds=seconds)

    def pytest(self, *arguments: str, check: bool = True, seconds: float = COMMAND_SECONDS) -> Done:
        """Run the site's own tests; see `manage`. `-p` of this checkout's configuration does not reach them."""
        if not (self.folder / "pytest.ini").exists():
            self.write("pytest.ini", "[pytest]\n")
        return self._run(MODULE, "pytest", "-p", "no:cacheprovider", *arguments, check=check, seconds=seconds)

    def program(self, module: str, *arguments: str, is_ready: Callable[[], bool] = lambda: True) -> ServerProcess:
        """`python -m module …`, not started yet; `manage` as the module is `manage.py`."""
        self._programs += 1
        start = [MANAGE] if module == "manage" else [MODULE]
        rest = [] if module == "manage" else [module]
        return ServerProcess(
            [sys.executable, "-c", *start, str(self.folder), *rest, *arguments],
            log=self.folder / f"program-{self._programs}.log",
            is_ready=is_ready,
            env=self.env,
            cwd=self.folder,
        )

    def server(self, kind: str = "uvicorn") -> tuple[ServerProcess, int]:
        """A server of the site's ASGI application (`uvicorn`, or `serve`), not started yet, and its port."""
        port = free_port()
        command: Sequence[str] = {
            "uvicorn": ("uvicorn", "--port", str(port), "acme.asgi:application"),
            "serve": ("manage", "serve", "--host", "127.0.0.1", "--port", str(port)),
        }[kind]
        return self.program(*command, is_ready=lambda: accepts_connections(port)), port

    def _run(self, code: str, *arguments: str, check: bool, seconds: float) -> Done:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, str(self.folder), *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"
        return Done(done.returncode, done.stdout, done.stderr)
