"""Who may create an account: nobody, users of a configured provider, or everybody (`NETRA_SIGN_UP`)."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from websocket_core.auth.oidc.fetch import BoundedSession


class AccountAdapter(DefaultAccountAdapter):
    """Local accounts: created by an administrator, unless sign-up is open."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether a stranger may create a local account."""
        return bool(settings.NETRA_SIGN_UP == "open")

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """The key under which failed log-in attempts are counted.

        django-allauth counts them per `Host` header, which an attacker can choose.
        """
        return str(credentials.get("email", credentials.get("username", ""))).lower()


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Accounts of users who log in through a configured provider."""

    def get_requests_session(self) -> BoundedSession:
        """The session for requests to providers, with a time limit: a slow one must not occupy a thread for hours."""
        return BoundedSession()

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Whether a new user of a provider gets an account."""
        return settings.NETRA_SIGN_UP in ("providers", "open")
