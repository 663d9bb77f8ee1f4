"""`manage.py serve`: Netra's server."""

from __future__ import annotations

import logging
import os
import socket
import sys
from typing import Any

from channels.layers import get_channel_layer
from channels.routing import get_default_application
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor

from netra.agents.registry import discovery
from netra.server.limits import Limits
from netra.server.listening import CannotListenError, describe, descriptor, tcp, unix
from netra.server.reloading import project_folders, serve_and_reload
from netra.serving.application import NetraApplication
from netra.serving.request_bodies import body_limit
from websocket_core.conf import conf
from websocket_core.conf.extras import MissingPackage, require
from websocket_core.database.home import LABELS, migrate_command
from websocket_core.database.old_layout import remedy_for_old_layout
from websocket_core.process import garbage
from websocket_core.process.exit import exit_in_spite_of_threads
from websocket_core.process.heartbeat import this_process
from websocket_core.process.lifecycle import lifecycle

log = logging.getLogger("netra.serve")

RELOADED = "SERVE_RELOADED"  # in the environment: this process is the one that is restarted


class Command(BaseCommand):
    help = "Serve Netra: HTTP and WebSockets, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="name or address to listen on (%(default)s)")
        parser.add_argument(
            "--port", type=int, default=8000, help="port to listen on; 0 for any free one (%(default)s)"
        )
        parser.add_argument("--unix-socket", metavar="PATH", help="listen on this Unix socket instead")
        parser.add_argument(
            "--fd",
            type=int,
            metavar="N",
            help="listen on this open file descriptor instead (systemd socket activation: 3)",
        )
        parser.add_argument("--access-log", action="store_true", help="log every request and connection")
        parser.add_argument(
            "--proxy-headers",
            action="store_true",
            help="read the client's address from X-Forwarded-For; only behind a proxy that sets it",
        )
        parser.add_argument(
            "--root-path-header",
            action="store_true",
            help="take the sub-path of Netra from Daphne-Root-Path; only behind a proxy that sets it",
        )
        parser.add_argument(
            "--reload", action="store_true", help="restart whenever a file of the project changes, for development"
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Choose Twisted's reactor before the checks import the site's code, which might choose another one.

        With `--reload`, a child process does all of this.
        """
        if options["reload"] and RELOADED not in os.environ:
            _look_at(options)
            os.environ[RELOADED] = "1"
            folders = project_folders([config.path for config in apps.get_app_configs()])
            sys.exit(serve_and_reload([sys.executable, *sys.argv], folders, self.stderr.write))
        try:
            require("daphne", "manage.py serve")
        except MissingPackage as error:
            raise CommandError(str(error)) from error
        from netra.server import asgi_server  # noqa: F401 - the import chooses; it needs the extra `server`

        return super().execute(*args, **options)

    def check(self, *args: Any, **kwargs: Any) -> None:
        """Run the system checks. Agents are imported later, on the event loop that executes them."""
        with discovery.deferred():
            super().check(*args, **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        # These need the extra `server`.
        from daphne.access import AccessLogGenerator

        from netra.logs import access_log
        from netra.server.asgi_server import NetraServer

        access_log.guard()
        this_process.kind = "server"
        if RELOADED in os.environ:
            conf.DRAIN_SECONDS = 0.0  # a developer waits for the restart, not for runs of the old process
        application = _application()
        listener = _listen(options)
        address = describe(listener)

        def on_ready() -> None:
            layer = type(get_channel_layer()).__name__
            log.info(
                "Netra listens on %s (process %d, channel layer %s, database %s)",
                *(address, os.getpid(), layer, connections[conf.DATABASE].vendor),
            )
            if getattr(settings, "NETRA_SECRET_KEY_GENERATED", False) and not settings.DEBUG:
                log.warning("SECRET_KEY is not set: Netra uses a generated key. Set one in every deployment")
            server.loop.run_in_executor(None, _hint_at_migrations)
            garbage.settle()

        server = NetraServer(
            application,
            [listener],
            limits=Limits.from_settings(),
            begin_drain=lifecycle.begin_drain,
            drain=lifecycle.drain,
            access_log=AccessLogGenerator(sys.stdout) if options["access_log"] else None,
            proxy_headers=options["proxy_headers"],
            root_path_header=options["root_path_header"],
            body_limit=body_limit,
            on_ready=on_ready,
        )
        try:
            server.loop.run_until_complete(discovery.import_on_this_loop())
            if failures := discovery.failures():
                listener.close()
                raise CommandError("\n".join([*failures, discovery.REMEDY]))
            server.run()
        finally:
            if options["unix_socket"]:
                os.unlink(options["unix_socket"])
        log.info("Netra has ended")
        exit_in_spite_of_threads()


def _application() -> Any:
    """The site's ASGI application. With DEBUG, it also serves static files, unless WhiteNoise does."""
    try:
        application = get_default_application()
    except ImproperlyConfigured as error:
        raise CommandError(f"{error} Add ASGI_APPLICATION = 'SITE.asgi.application' to your settings.") from None
    if not NetraApplication.made:
        log.warning(
            "ASGI_APPLICATION does not include Netra: wrap it in netra_application(…) from netra.asgi in your asgi.py"
        )
    static, other = "django.contrib.staticfiles", "whitenoise.runserver_nostatic"
    if settings.DEBUG and apps.is_installed(static) and not apps.is_installed(other):
        return ASGIStaticFilesHandler(application)
    return application


def _look_at(options: dict[str, Any]) -> None:
    """Report immediately, and only once, that the address is taken."""
    if options["fd"] is None and not options["unix_socket"] and options["port"]:
        _listen(options).close()


def _listen(options: dict[str, Any]) -> socket.socket:
    try:
        if options["fd"] is not None:
            return descriptor(options["fd"])
        if options["unix_socket"]:
            return unix(options["unix_socket"])
        return tcp(options["host"], options["port"])
    except CannotListenError as error:
        raise CommandError(str(error)) from error


def _hint_at_migrations() -> None:
    """Warn if the database is not up to date or unavailable. Runs in a thread, because finding out may take long."""
    database = connections[conf.DATABASE]
    try:
        executor = MigrationExecutor(database)
        wanted = executor.loader.graph.leaf_nodes()
        if conf.DATABASE != DEFAULT_DB_ALIAS:  # migrations of other apps are the site's business
            wanted = [node for node in wanted if node[0] in LABELS]
        if executor.migration_plan(wanted):
            log.warning("The database is not up to date: run %s", migrate_command())
        elif remedy := remedy_for_old_layout(database):
            log.error(remedy)
    except DatabaseError as error:
        log.warning("The database cannot be reached: %s", error)
    finally:
        database.close()
