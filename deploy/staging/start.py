"""Prepares staging and hands over to Supervisor: `make staging`.

Everything is on loopback and below `var/staging`. Database, keys and users stay for the next start (`--fresh` makes
them anew); ports are chosen anew unless they are given. Ctrl-C ends it.
"""

import argparse
import contextlib
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # staging runs the same database programs as the tests

from servers.netra import clean_environment  # noqa: E402
from servers.postgres import PostgresServer  # noqa: E402
from servers.process import free_port  # noqa: E402
from servers.valkey import ValkeyServer  # noqa: E402

BIN = Path(sys.executable).parent
TAKEN = 98  # the exit code of a start that finds its port or its folder in use

# Variables that staging accepts from its environment.
PASSED_ON = (
    "NETRA_AGENT_MODULES", "NETRA_OIDC_ISSUERS", "NETRA_OIDC_KEYS_SECONDS", "NETRA_OIDC_REFETCH_SECONDS",
    "NETRA_LEASE_SECONDS", "NETRA_HEARTBEAT_SECONDS", "NETRA_DATABASE_SILENCE_SECONDS",
    "NETRA_SWEEP_SECONDS", "NETRA_STARTS_PER_MINUTE", "NETRA_MODEL", "LOG_LEVEL",
)  # fmt: skip
EXPORTED = ("DATABASE_URL", "REDIS_URL", "NETRA_EXECUTOR", "NETRA_DATA_DIR", "SECRET_KEY", "DJANGO_SETTINGS_MODULE")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    folder = Path(os.environ.get("NETRA_STAGING_DIR") or ROOT / "var" / "staging")
    add("--folder", type=Path, default=folder, help="where everything is kept ($NETRA_STAGING_DIR)")
    add("--port", type=int, default=int(os.environ.get("PORT") or 0), help="of the load balancer ($PORT)")
    add("--server-ports", type=int, nargs=2, default=[0, 0], metavar="PORT", help="of the servers behind it")
    add("--postgres-port", type=int, default=0)
    add("--valkey-port", type=int, default=0)
    add("--servers-reach-valkey-at", type=int, metavar="PORT", help="of a proxy between them")
    add("--workers-reach-postgres-at", type=int, metavar="PORT", help="of a proxy between them")
    add("--fresh", action="store_true", help="forget database, keys and users of earlier starts")
    return parser.parse_args()


def main() -> None:
    given = options()
    folder: Path = given.folder
    refuse_if_running(folder)
    ports = {
        "BALANCER_PORT": str(chosen(given.port, "PORT=… make staging, or --port")),
        "SERVER_1_PORT": str(chosen(given.server_ports[0], "--server-ports")),
        "SERVER_2_PORT": str(chosen(given.server_ports[1], "--server-ports")),
    }
    if given.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    for name in ("postgres", "valkey"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for path in (folder, folder / "postgres"):
        path.chmod(0o755)
    (folder / "url").unlink(missing_ok=True)
    postgres = PostgresServer(folder / "postgres", durable=True, port=chosen(given.postgres_port, "--postgres-port"))
    valkey = ValkeyServer(folder / "valkey", port=chosen(given.valkey_port, "--valkey-port"))
    url = f"http://127.0.0.1:{ports['BALANCER_PORT']}"
    postgres.start()
    try:
        env = clean_environment(
            {
                "DATABASE_URL": postgres.url(postgres.database_named("netra")),
                "REDIS_URL": valkey.url,
                "NETRA_EXECUTOR": "procrastinate",
                "NETRA_DATA_DIR": str(folder),
                "NETRA_DRAIN_SECONDS": os.environ.get("NETRA_DRAIN_SECONDS", "5"),
                **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
                "SECRET_KEY": kept(folder / "key"),
                "ALLOWED_HOSTS": "127.0.0.1,localhost",
            }
        )
        manage(env, "migrate", "--no-input", "-v", "0")
        manage(env, "dev_setup", "--url", f"{url}/")
        token = manage(env, "issue_token", "staging", capture=True).strip()
    finally:
        postgres.stop()
    env |= ports | {
        "STAGING": str(folder),
        "PY": sys.executable,
        "CADDY": str(BIN / "caddy"),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "SERVERS_REDIS_URL": through(valkey.url, valkey.port, given.servers_reach_valkey_at),
        "WORKERS_DATABASE_URL": through(env["DATABASE_URL"], postgres.port, given.workers_reach_postgres_at),
        # Supervisor parses commands with shell quoting, and % begins an expression.
        "POSTGRES_COMMAND": shlex.join(postgres.command),
        "VALKEY_COMMAND": shlex.join(valkey.command),
        "PYTHONWARNINGS": "ignore",  # Supervisor's own
    }
    (folder / "token").write_text(token)
    (folder / "env").write_text("".join(f"export {name}={shlex.quote(env[name])}\n" for name in EXPORTED))
    (folder / "url").write_text(url)
    print(
        f"""
Staging: {url}
  servers     http://127.0.0.1:{ports["SERVER_1_PORT"]}  http://127.0.0.1:{ports["SERVER_2_PORT"]}
  database    {env["DATABASE_URL"]}
  valkey      {valkey.url}
  logs        {folder}/*.log
  golden path .venv/bin/python manage.py golden_path --url {url.replace("http", "ws")}/ws --token $(cat {folder}/token)
  control     .venv/bin/supervisorctl -s unix://{folder}/supervisor.sock
Ctrl-C ends everything.
""",
        flush=True,
    )
    os.chdir(ROOT)
    os.execve(BIN / "supervisord", ["supervisord", "-c", str(ROOT / "deploy/staging/supervisord.conf")], env)


def chosen(port: int, option: str) -> int:
    """The port of this option, if it is not in use. Without the option, a free port."""
    if not port:
        return free_port()
    with socket.socket() as probe:
        # Like the servers: connections of a staging that has just ended do not block its port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            refuse(f"Port {port} cannot be used ({error.strerror}). Choose another one with {option}.")
    return port


def refuse_if_running(folder: Path) -> None:
    """Refuse a second staging: two on one database would stop each other."""
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.connect(str(folder / "supervisor.sock"))
        url = (folder / "url").read_text() if (folder / "url").exists() else "it is starting"
        refuse(f"Staging runs in {folder} already ({url}). End that one, or choose another folder: NETRA_STAGING_DIR=…")


def refuse(message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(TAKEN)


def kept(file: Path) -> str:
    """A secret that is kept for the next start."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(60))
    return file.read_text()


def through(url: str, port: int, proxy: int | None) -> str:
    """The same address, through a proxy if there is one."""
    return url.replace(f":{port}/", f":{proxy}/") if proxy else url


def manage(env: dict[str, str], *arguments: str, capture: bool = False) -> str:
    """Run `manage.py` with these arguments."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        text=True,
        stdout=subprocess.PIPE if capture else None,
        check=True,
    )
    return done.stdout or ""


if __name__ == "__main__":
    main()
