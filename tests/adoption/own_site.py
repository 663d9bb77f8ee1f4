"""A project as a team has it before it hears of Netra: `startproject`, and everything of its own.

It has users with a UUID and an e-mail address, a log-in page, an admin site, a shop, a chat at `/ws/chat/`, an app
called `agents` (of estate agents), PostgreSQL, and the core layer of channels_redis. It does not know Netra.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from servers.foreign_site import USER, USER_MIGRATION
from servers.netra import COMMAND_SECONDS, clean_environment
from servers.process import ServerProcess, accepts_connections, free_port
from versions.distribution import Environment

SDK = "openai-agents"
EMAIL, PASSWORD = "ada@acme.example", "correct horse battery"

SETTINGS = """
INSTALLED_APPS.remove("django.contrib.admin")
INSTALLED_APPS += ["django.contrib.admin.apps.SimpleAdminConfig", "channels", "accounts", "shop", "agents", "chat"]
MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")
WHITENOISE_USE_FINDERS = True
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"
ASGI_APPLICATION = "mysite.asgi.application"
ALLOWED_HOSTS = ["127.0.0.1"]
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = BASE_DIR / "mails"
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "{name}", "USER": "{user}", "PASSWORD": "{password}", "HOST": "{host}", "PORT": {port},
        "CONN_MAX_AGE": 60,
    }}
}}
CHANNEL_LAYERS = {{
    "default": {{
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {{"hosts": ["{redis}"], "prefix": "{name}"}},
    }}
}}
"""

FILES = {
    "mysite/urls.py": """
        from django.contrib.auth.views import LoginView, LogoutView
        from django.urls import path

        from mysite.admin import staff
        from shop.views import home

        urlpatterns = [
            path("", home, name="home"),
            path("staff/", staff.urls),
            path("sign-in/", LoginView.as_view(), name="sign-in"),
            path("sign-out/", LogoutView.as_view(), name="logout"),
        ]
        """,
    "mysite/asgi.py": """
        import os

        from channels.auth import AuthMiddlewareStack
        from channels.routing import ProtocolTypeRouter, URLRouter
        from channels.security.websocket import AllowedHostsOriginValidator
        from django.core.asgi import get_asgi_application
        from django.urls import path

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
        django_application = get_asgi_application()

        from chat.consumers import Chat

        application = ProtocolTypeRouter(
            {
                "http": django_application,
                "websocket": AllowedHostsOriginValidator(
                    AuthMiddlewareStack(URLRouter([path("ws/chat/", Chat.as_asgi())]))
                ),
            }
        )
        """,
    "mysite/admin.py": """
        from django.contrib.admin import AdminSite

        from accounts.models import User
        from agents.models import Agent
        from shop.models import Order


        class StaffSite(AdminSite):
            site_header = site_title = "Acme staff"
            index_title = "Acme"


        staff = StaffSite(name="staff")
        staff.register([Agent, Order, User])
        """,
    "accounts/__init__.py": "",
    "accounts/models.py": USER,
    "accounts/migrations/__init__.py": "",
    "accounts/migrations/0001_initial.py": USER_MIGRATION,
    "agents/__init__.py": "",
    "agents/migrations/__init__.py": "",
    "agents/models.py": """
        from django.db import models


        class Agent(models.Model):
            name = models.CharField(max_length=100)
        """,
    "shop/__init__.py": "",
    "shop/migrations/__init__.py": "",
    "shop/models.py": """
        from django.conf import settings
        from django.db import models


        class Order(models.Model):
            customer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
        """,
    "shop/views.py": """
        from django.contrib.auth.decorators import login_required
        from django.shortcuts import render


        @login_required
        def home(request):
            return render(request, "shop/home.html")
        """,
    "shop/templates/shop/home.html": """
        <!doctype html>
        <html lang="en">
          <head><meta charset="utf-8"><title>Acme</title></head>
          <body>
            <h1>Acme</h1>
            <p>Welcome, {{ user.email }}</p>
            <form method="post" action="{% url 'logout' %}">{% csrf_token %}<button>Sign out</button></form>
          </body>
        </html>
        """,
    "templates/registration/login.html": """
        <!doctype html>
        <html lang="en">
          <head><meta charset="utf-8"><title>Acme: sign in</title></head>
          <body><form method="post">{% csrf_token %}{{ form.as_p }}<button>Sign in</button></form></body>
        </html>
        """,
    "chat/__init__.py": "",
    "chat/consumers.py": """
        from channels.generic.websocket import AsyncWebsocketConsumer


        class Chat(AsyncWebsocketConsumer):
            async def connect(self):
                await self.channel_layer.group_add("chat", self.channel_name)
                await self.accept()

            async def receive(self, text_data=None, bytes_data=None):
                said = f"{self.scope['user']}: {text_data}"
                await self.channel_layer.group_send("chat", {"type": "said", "text": said})

            async def said(self, event):
                await self.send(event["text"])
        """,
}

# Served by WSGI, as by gunicorn without uvicorn's workers: it has no event loop that could execute a run.
WSGI = """
import sys
from wsgiref.simple_server import make_server
from mysite.wsgi import application
make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
"""


class OwnSite:
    """The project, in an environment of its own.

    Packages are taken from the environment that the tests run in, except for those that are installed into its own: no
    index is needed, and nothing is downloaded.

    Args:
        folder: does not exist yet.
        database: URL of an empty PostgreSQL database.
        redis: URL of a Redis or Valkey.
    """

    def __init__(self, folder: Path, *, database: str, redis: str) -> None:
        self.folder = folder / "project"
        self.env = clean_environment({"PIP_NO_INDEX": "1", "PYTHONWARNINGS": ""})
        del self.env["DJANGO_SETTINGS_MODULE"]
        self.env.pop("PYTHONPATH", None)
        self._environment = folder / "env"
        self._programs = 0
        Environment(self._environment)
        packages = next((self._environment / "lib").glob("python*")) / "site-packages"
        (packages / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        self.env["PATH"] = f"{self._environment / 'bin'}{os.pathsep}{self.env['PATH']}"
        self.folder.mkdir()
        self.sh("python -m django startproject mysite .")
        for name, text in FILES.items():
            self.write(name, textwrap.dedent(text).lstrip())
        parts = urlsplit(database)
        values = {"user": parts.username, "password": parts.password or "", "host": parts.hostname, "port": parts.port}
        with (self.folder / "mysite/settings.py").open("a") as settings:
            settings.write(SETTINGS.format(name=parts.path[1:], redis=redis, **values))
        self.sh("python manage.py makemigrations --verbosity 0 agents shop")
        self.sh("python manage.py migrate --verbosity 0")
        self.python(
            "from accounts.models import User; from shop.models import Order; "
            f"user = User.objects.create_superuser({EMAIL!r}, {PASSWORD!r}); "
            "Order.objects.bulk_create([Order(customer=user), Order(customer=user)])"
        )

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def sh(self, commands: str, env: Mapping[str, str] | None = None) -> str:
        """Run a shell's commands in the project's folder and environment; gives what they print.

        Raises:
            AssertionError: one failed.
        """
        done = subprocess.run(
            ["sh", "-e", "-c", commands],
            cwd=self.folder,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def python(self, code: str) -> str:
        """Run Python in the project, as `manage.py shell` does; gives what it prints."""
        self.write(
            "_code.py",
            f"import os, django\nos.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'\ndjango.setup()\n{code}\n",
        )
        return self.sh("python _code.py")

    def install_agents_sdk(self) -> str:
        """Install the OpenAI Agents SDK, whose modules are called `agents`; gives why that was not possible, or ""."""
        try:
            self.sh(f"python -m pip install --quiet --retries 0 --timeout 20 {SDK}", {"PIP_NO_INDEX": "0"})
        except (AssertionError, subprocess.TimeoutExpired) as error:
            return f"{SDK} could not be installed from the index: {str(error).strip().splitlines()[-1]}"
        return ""

    def agents_sdk(self) -> str:
        """The name of an agent of the SDK, from outside the project, whose own `agents` come first."""
        return self.sh("cd / && python -c 'from agents import Agent, Runner; print(Agent(name=\"x\").name)'").strip()

    def server(self, kind: str) -> Server:
        """A server of the project, not started yet: `uvicorn`, `serve`, or `wsgi`."""
        port = free_port()
        commands = {
            "uvicorn": ["-m", "uvicorn", "mysite.asgi:application", "--port", str(port)],
            "serve": ["manage.py", "serve", "--port", str(port)],
            "wsgi": ["-c", WSGI, str(port)],
        }
        self._programs += 1
        return Server(
            [str(self._environment / "bin/python"), *commands[kind]],
            port=port,
            log=self.folder / f"{kind}-{self._programs}.log",
            env=self.env,
            cwd=self.folder,
        )

    def copy_of_files(self) -> Callable[[], None]:
        """Function that puts every file of the project back as it is now, and removes what has come since."""
        kept = self.folder.parent / "kept"
        shutil.copytree(self.folder, kept, ignore=shutil.ignore_patterns("*.log", "__pycache__"))

        def put_back() -> None:
            shutil.rmtree(self.folder)
            shutil.copytree(kept, self.folder)

        return put_back


class Server(ServerProcess):
    """The project, served."""

    def __init__(self, command: list[str], *, port: int, log: Path, env: dict[str, str], cwd: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"
        super().__init__(command, log=log, is_ready=lambda: accepts_connections(port), env=env, cwd=cwd)
