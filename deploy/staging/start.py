"""Prepares staging and hands over to Supervisor: `make staging`.

Everything is on loopback and below `var/staging`, made anew at every start: ports, keys, database. Ctrl-C ends it.
"""

import os
import secrets
import shlex
import shutil
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


def main() -> None:
    folder = Path(os.environ.get("NETRA_STAGING_DIR", ROOT / "var" / "staging"))
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("postgres", "valkey"):
        (folder / name).mkdir(parents=True)
    for path in (folder, folder / "postgres"):
        path.chmod(0o755)
    postgres = PostgresServer(folder / "postgres", durable=True)
    valkey = ValkeyServer(folder / "valkey")
    ports = {
        "BALANCER_PORT": os.environ.get("PORT") or str(free_port()),
        "SERVER_1_PORT": str(free_port()),
        "SERVER_2_PORT": str(free_port()),
    }
    url = f"http://127.0.0.1:{ports['BALANCER_PORT']}"
    postgres.start()
    try:
        env = clean_environment(
            {
                "DATABASE_URL": postgres.url(postgres.database()),
                "REDIS_URL": valkey.url,
                "NETRA_EXECUTOR": "procrastinate",
                "NETRA_DATA_DIR": str(folder),
                "NETRA_DRAIN_SECONDS": os.environ.get("NETRA_DRAIN_SECONDS", "5"),
                **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
                "SECRET_KEY": secrets.token_urlsafe(60),
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
        # Supervisor reads commands with shell quoting, and takes a % for an expression of its own.
        "POSTGRES_COMMAND": shlex.join(postgres.command),
        "VALKEY_COMMAND": shlex.join(valkey.command),
        "PYTHONWARNINGS": "ignore",  # Supervisor's own
    }
    (folder / "token").write_text(token)
    (folder / "url").write_text(url)
    (folder / "env").write_text("".join(f"export {name}={shlex.quote(env[name])}\n" for name in EXPORTED))
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


# What whoever starts staging may set.
PASSED_ON = ("NETRA_AGENT_MODULES", "NETRA_OIDC_ISSUERS", "NETRA_LEASE_SECONDS", "NETRA_MODEL", "LOG_LEVEL")
EXPORTED = ("DATABASE_URL", "REDIS_URL", "NETRA_EXECUTOR", "NETRA_DATA_DIR", "SECRET_KEY", "DJANGO_SETTINGS_MODULE")


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
