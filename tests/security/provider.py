"""A real OpenID Connect provider in its own process."""

import json
import sys
from pathlib import Path

import requests

from servers.process import ServerProcess, accepts_connections, free_port


class Provider(ServerProcess):
    """`oidc-provider-mock`: a complete OpenID Connect provider that accepts any user name in its form."""

    def __init__(self, log: Path, *users: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(self.port), "--no-refresh-token"]
        for user in users:
            command += ["--user-claims", json.dumps(user)]
        super().__init__(command, log=log, is_ready=lambda: accepts_connections(self.port))

    @property
    def login_setting(self) -> str:
        """The SOCIALACCOUNT_PROVIDERS setting for logins at this provider."""
        app = {
            "provider_id": "corp",
            "name": "Corp <& Co>",
            "client_id": "netra",
            "secret": "s3cret-of-netra",
            "settings": {"server_url": self.url},
        }
        return json.dumps({"openid_connect": {"APPS": [app]}})

    def id_token(self, subject: str, client: str) -> str:
        """An ID token for `client`, from the authorization-code flow without Netra."""
        back = "http://127.0.0.1/back"
        query = {"response_type": "code", "client_id": client, "redirect_uri": back, "scope": "openid"}
        with requests.Session() as web:
            web.trust_env = False
            asked = web.post(
                f"{self.url}/oauth2/authorize", params=query, data={"sub": subject}, allow_redirects=False, timeout=30
            )
            code = asked.headers["Location"].partition("code=")[2].partition("&")[0]
            form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "client_id": client}
            answer = web.post(f"{self.url}/oauth2/token", data={**form, "client_secret": "any"}, timeout=30)
        return str(answer.json()["id_token"])
