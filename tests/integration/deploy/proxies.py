"""nginx and Caddy as `deploy/` has them, before real servers; only addresses, certificates, time-outs change."""

import datetime
import os
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integration.deploy.programs import DEPLOY, program
from servers.process import ServerProcess, accepts_connections, free_port

HOST = "netra.example"


class Proxy(ServerProcess):
    """A proxy that speaks https on a port of the loopback interface, with a certificate that nobody has signed."""

    def __init__(self, command: list[str], port: int, folder: Path, env: dict[str, str]) -> None:
        self.port = port
        super().__init__(
            command, log=folder / "log", is_ready=lambda: accepts_connections(port), cwd=folder, env={"PATH": "", **env}
        )


def nginx(folder: Path, servers: Sequence[int], read_timeout: int) -> Proxy:
    """`deploy/nginx/netra.conf` in front of two servers.

    Args:
        servers: ports of the two.
        read_timeout: seconds, instead of the 60 of the file.
    """
    path = program("nginx", "sh scripts/ensure-nginx.sh, or apt-get install nginx-light")
    folder.mkdir()
    certificate(folder)
    port, plain = free_port(), free_port()
    site = (DEPLOY / "nginx" / "netra.conf").read_text()
    for old, new in (
        ("127.0.0.1:8001", f"127.0.0.1:{servers[0]}"),
        ("127.0.0.1:8002", f"127.0.0.1:{servers[1]}"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/netra/fullchain.pem", f"{folder}/fullchain.pem"),
        ("/etc/ssl/netra/privkey.pem", f"{folder}/privkey.pem"),
        ("proxy_read_timeout 60s;", f"proxy_read_timeout {read_timeout}s;"),
        ("proxy_send_timeout 60s;", f"proxy_send_timeout {read_timeout}s;"),
    ):
        assert site.count(old) == 1, f"{old} is not in nginx/netra.conf once"
        site = site.replace(old, new)
    (folder / "netra.conf").write_text(site)
    temporary = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log stderr;\n{_user()}"
        "events { worker_connections 256; }\n"
        f"http {{\n    access_log off;\n{temporary}    include {folder}/netra.conf;\n}}\n"
    )
    return Proxy([path, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")], port, folder, {})


def caddy(folder: Path, servers: Sequence[int]) -> Proxy:
    """`deploy/caddy/Caddyfile` in front of two servers, with a certificate of its own making."""
    path = program("caddy", "make setup-dev")
    folder.mkdir()
    certificate(folder)
    port = free_port()
    site = (DEPLOY / "caddy" / "Caddyfile").read_text()
    for old, new in (
        ("127.0.0.1:8001", f"127.0.0.1:{servers[0]}"),
        ("127.0.0.1:8002", f"127.0.0.1:{servers[1]}"),
        (
            "netra.example {",
            f"https://netra.example:{port} {{\n\tbind 127.0.0.1\n\ttls {folder}/fullchain.pem {folder}/privkey.pem",
        ),
    ):
        assert site.count(old) == 1, f"{old} is not in caddy/Caddyfile once"
        site = site.replace(old, new)
    top = "{\n\tadmin off\n\tpersist_config off\n\tauto_https disable_redirects\n}\n"
    (folder / "Caddyfile").write_text(top + site)
    env = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    command = [path, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    return Proxy(command, port, folder, env)


def trust_anybody() -> ssl.SSLContext:
    """What a client needs for such a certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate(folder: Path) -> None:
    """Write `fullchain.pem` and `privkey.pem` for the site's name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _user() -> str:
    """Started by root, nginx would hand its sockets to somebody who may not read the test's folder."""
    return "user root;\n" if os.geteuid() == 0 else ""
