"""Who may make an account: nobody, those a configured provider vouches for, or everybody (`NETRA_SIGN_UP`)."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from websocket_core.auth.oidc.fetch import BoundedSession


class AccountAdapter(DefaultAccountAdapter):
    """Local accounts: made by an administrator, unless sign-up is open."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether a stranger may make a local account."""
        return bool(settings.NETRA_SIGN_UP == "open")

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Under which name failed attempts at an account are counted.

        django-allauth counts them for each `Host` header, which whoever guesses passwords may choose.
        """
        return str(credentials.get("email", credentials.get("username", ""))).lower()


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Accounts of people who log in through a configured provider."""

    def get_requests_session(self) -> BoundedSession:
        """The session for requests to providers: one that sends a byte a second must not keep a thread for hours."""
        return BoundedSession()

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Whether a provider's user who was never here gets an account."""
        return settings.NETRA_SIGN_UP in ("providers", "open")
