"""A foreign site with pages, its own login, a strict content security policy, and agents, on any ASGI server."""

import os
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from servers.foreign_site import ForeignSite
from servers.netra import ROOT
from servers.process import ServerProcess, free_port

NAME, PASSWORD = "ada@acme.example", "correct horse"
SETTINGS = """
import os

DEBUG = True
FIRST = ["netra"] if "SITE_NETRA_FIRST" in os.environ else []
INSTALLED_APPS = [*FIRST, *(app for app in INSTALLED_APPS if app not in FIRST), "shop"]
MIDDLEWARE += ["shop.policy.strict"]
LOGIN_URL = "/sign-in/"
FORCE_SCRIPT_NAME = os.environ.get("SITE_PREFIX") or None
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
NETRA_DRAIN_SECONDS = 1
NETRA_STALL_SECONDS = int(os.environ.get("SITE_STALL", "20"))
NETRA_WS_PATH = os.environ.get("SITE_SOCKET", "/ws")
"""
FILES = {
    "manage.py": f"""
        import os, sys
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acme.settings")
        sys.path.append({str(ROOT)!r})
        if __name__ == "__main__":
            from django.core.management import execute_from_command_line
            execute_from_command_line(sys.argv)
        """,
    "acme/urls.py": """
        from django.contrib import admin
        from django.contrib.auth.views import LoginView, LogoutView
        from django.contrib.staticfiles.views import serve
        from django.urls import include, path
        from django.views.generic import TemplateView
        urlpatterns = [
            path("", TemplateView.as_view(template_name="home.html")),
            path("back-office/", admin.site.urls),
            path("sign-in/", LoginView.as_view(next_page="/"), name="sign-in"),
            path("sign-out/", LogoutView.as_view(next_page="/sign-in/"), name="logout"),
            path("static/<path:path>", serve),
            path("netra/", include("netra.urls")),
        ]
        """,
    "acme/routed.py": """
        import os
        from channels.generic.websocket import WebsocketConsumer
        from channels.routing import ProtocolTypeRouter, URLRouter
        from django.core.asgi import get_asgi_application
        from django.urls import path
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acme.settings")
        django_application = get_asgi_application()
        from netra.asgi import netra_application
        class Chat(WebsocketConsumer):
            def receive(self, text_data=None, bytes_data=None):
                self.send(text_data=f"chat: {text_data}")
        routes = [path("ws/chat/", Chat.as_asgi())]
        application = netra_application(
            ProtocolTypeRouter({"http": django_application, "websocket": URLRouter(routes)}), path="/live/"
        )
        """,
    "shop/__init__.py": "",
    "shop/agents.py": """
        import asyncio
        from netra.agents import agent
        @agent("orders")
        async def orders(ctx, input):
            await ctx.think("Looking")
            return {"orders": 7}
        @agent("patient")
        async def patient(ctx, input):
            await ctx.think("Waiting")
            await asyncio.Event().wait()
        @agent("flood")
        async def flood(ctx, input):
            for number in range(80):
                await ctx.publish_state({"number": number, "text": "x" * 200_000})
        """,
    "shop/policy.py": """
        import secrets
        def strict(get_response):
            def middleware(request):
                request.csp_nonce = secrets.token_urlsafe()
                response = get_response(request)
                response["Content-Security-Policy"] = (
                    f"default-src 'none'; connect-src 'self' ws://{request.get_host()}; img-src 'self'; "
                    f"script-src 'strict-dynamic' 'nonce-{request.csp_nonce}'; style-src 'nonce-{request.csp_nonce}'"
                )
                return response
            return middleware
        """,
    "templates/registration/login.html": """
        <!doctype html><title>Acme</title>
        <form method="post">{% csrf_token %}{{ form.as_p }}<button>Sign in</button></form>
        """,
    "templates/home.html": """
        {% load netra %}<!doctype html><title>Acme</title>
        {% netra_client %}
        <script type="module" nonce="{{ request.csp_nonce }}">
          const client = new netra.NetraClient();
          client.on("event", ({ event_type: type }) => { document.querySelector("output").textContent += `${type} `; });
          client.connect();
          const button = document.querySelector("button");
          button.onclick = () => client.start("orders", { order: 7 });
          button.disabled = false;
        </script>
        <button disabled>Order</button><output></output>
        """,
}
SERVERS = {
    "uvicorn": ["-m", "uvicorn", "--port", "{port}", "acme.asgi:application"],
    "gunicorn": [
        *("-m", "gunicorn", "--worker-class", "uvicorn_worker.UvicornWorker", "--bind", "127.0.0.1:{port}"),
        "acme.asgi:application",
    ],
    "hypercorn": ["-m", "hypercorn", "--bind", "127.0.0.1:{port}", "acme.asgi:application"],
    "granian": ["-m", "granian", "--interface", "asgi", "--port", "{port}", "acme.asgi:application"],
    "serve": ["manage.py", "serve", "--port", "{port}"],
    "serve --reload": ["manage.py", "serve", "--reload", "--port", "{port}"],
    "runserver": ["manage.py", "runserver", "--noreload", "{port}"],
}


class StrictSite(ForeignSite):
    """A foreign site with pages and two agents, and with a user who can log in (`NAME`, `PASSWORD`).

    Args:
        folder: does not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SETTINGS, {name: textwrap.dedent(text).lstrip() for name, text in FILES.items()})
        self._servers = 0
        self.manage("migrate", "-v", "0")
        self.python(f"from accounts.models import User; User.objects.create_user({NAME!r}, {PASSWORD!r})")

    def token(self) -> str:
        """A bearer token of a user."""
        return self.manage("issue_token", "somebody").stdout.strip()

    def run_state(self, run_id: str) -> str:
        """The status and code of a run."""
        return self.python(
            f"from netra.agents.models import Run; r = Run.objects.get(run_id={run_id!r}); print(r.status, r.code)"
        ).stdout.strip()

    def open_connections(self, thread_id: str) -> int:
        """The number of open connections to this thread, according to the database."""
        rows = f"Connection.objects.filter(thread_id={thread_id!r}, disconnected_at=None)"
        return int(self.python(f"from websocket_core.models import Connection; print({rows}.count())").stdout)

    def site_server(self, kind: str, *, env: Mapping[str, str] | None = None, application: str = "") -> "SiteServer":
        """A server of this site, not started yet; `kind` is one of `SERVERS`."""
        self._servers += 1
        return SiteServer(self, kind, env or {}, application, self.folder / f"server-{self._servers}.log")


class SiteServer(ServerProcess):
    """The site, served by an ASGI server of any make."""

    def __init__(self, site: StrictSite, kind: str, env: Mapping[str, str], application: str, log: Path) -> None:
        self.port = free_port()
        self.prefix = env.get("SITE_PREFIX", "")
        self.url = f"http://127.0.0.1:{self.port}{self.prefix}"
        self.ws_url = f"ws://127.0.0.1:{self.port}{self.prefix}/ws"
        command = [sys.executable, *(part.format(port=self.port) for part in SERVERS[kind])]
        if application:
            command[-1] = application
        # The checkout behind the site's own folder, as an installed library is.
        path = os.pathsep.join([str(site.folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        env = {**site.env, "PYTHONPATH": path, **env}
        super().__init__(command, log=log, is_ready=self.answers, env=env, cwd=site.folder)

    def text(self, path: str) -> str | None:
        """The answer for this path, or `None` if no server answers."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return None

    def answers(self) -> bool:
        """Whether the server answers requests."""
        try:
            urllib.request.urlopen(f"{self.url}/netra/healthz", timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True
