"""Settings from the environment. Without any variable: one process, SQLite, nothing to install.

docs/reference/settings.md describes every variable. The limits of delivery and runs are defined in
`websocket_core.conf` and `netra.agents.conf`.
"""

import os
import tempfile
from pathlib import Path

from netra.agents.conf import Defaults as RunDefaults
from netra.project.configuration import secret_key
from netra.project.configuration.channel_layer import channel_layers
from netra.project.configuration.database import database
from netra.project.configuration.environment import Environment
from netra.project.configuration.login_providers import login_origins, provider_apps
from netra.project.log_config import log_config
from websocket_core.conf import Defaults as DeliveryDefaults
from websocket_core.conf.reader import PREFIX

env = Environment()

BASE_DIR = Path(__file__).resolve().parent.parent
# Files that a running installation creates: the SQLite file, its secret key, the development users.
DATA_DIR = Path(env.text("NETRA_DATA_DIR", str(BASE_DIR / "var")))

DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY")
NETRA_SECRET_KEY_GENERATED = not SECRET_KEY
if NETRA_SECRET_KEY_GENERATED:
    SECRET_KEY = secret_key.load_or_create(DATA_DIR / "secret_key")
elif not DEBUG:
    secret_key.require_strong(SECRET_KEY)
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS")
for _key in () if DEBUG else SECRET_KEY_FALLBACKS:  # signatures by these keys are valid too
    secret_key.require_strong(_key, "SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))

# Netra's own settings

# Every limit of delivery and of runs: NETRA_DRAIN_SECONDS, NETRA_MAX_CONNECTIONS_PER_USER, NETRA_AGENT_TIMEOUT, …
globals().update(env.overrides(DeliveryDefaults) | env.overrides(RunDefaults))
NETRA_EXECUTOR = env.text("NETRA_EXECUTOR", RunDefaults.EXECUTOR)
NETRA_AGENT_MODULES = env.items("NETRA_AGENT_MODULES")
NETRA_BUILTIN_AGENTS = env.flag("NETRA_BUILTIN_AGENTS", True)
NETRA_METRICS_TOKEN = env.text("NETRA_METRICS_TOKEN")
NETRA_REDIS_URL = env.text("REDIS_URL")
NETRA_REDIS_PREFIX = env.text("NETRA_REDIS_PREFIX", DeliveryDefaults.REDIS_PREFIX)

# Applications

INSTALLED_APPS = [
    "netra.project.apps.ProjectConfig",
    "netra.apps.NetraConfig",
    "netra.agents.apps.AgentsConfig",
    "websocket_core.apps.WebsocketCoreConfig",
    "channels",
    "ninja",  # its API page uses its own static files, not a CDN
    "netra.project.apps.NetraAdminConfig",  # django.contrib.admin with a front page of our own
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    *(["procrastinate.contrib.django"] if NETRA_EXECUTOR == "procrastinate" else []),
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
]

MIDDLEWARE = [
    "netra.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    # Compress responses; the console's scripts shrink to a quarter. Compression weakens their ETag, and WhiteNoise
    # alone would then not recognise it when a browser asks whether its copy is still valid.
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "netra.project.accounts.private_pages.private_pages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "netra.project.accounts.login_trouble.LoginTrouble",
]

ROOT_URLCONF = "netra.project.urls"
ASGI_APPLICATION = "netra.project.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Storage

DATABASES = {
    "default": database(
        env.text("DATABASE_URL"),
        default_file=DATA_DIR / "db.sqlite3",
        # A file, not memory: the journal writes from threads of its own. Named by process, so that test runs
        # side by side do not share it.
        test_file=Path(tempfile.gettempdir()) / f"netra-test-{os.getpid()}.sqlite3",
        pool_size=env.integer("NETRA_DATABASE_POOL", 20, minimum=1),
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        # In the database, which all processes share: log-in attempts are counted here. A migration creates the table.
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "netra_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
CHANNEL_LAYERS = channel_layers(NETRA_REDIS_URL, prefix=NETRA_REDIS_PREFIX)

# Static files: straight from the apps' folders, DEBUG or not, so there is no step to forget. Answers are
# revalidated on every page load (304), so that the modules of one page never come from two versions.

STATIC_URL = "static/"
STATIC_ROOT = env.text("STATIC_ROOT") or None  # only for `collectstatic`, when something else serves the files
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 0

# Users

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]

# Log-in of users (django-allauth): local accounts, and the providers that the environment names.

SOCIALACCOUNT_PROVIDERS = env.mapping("SOCIALACCOUNT_PROVIDERS")  # see netra/project/configuration/login_providers.py
INSTALLED_APPS += provider_apps(SOCIALACCOUNT_PROVIDERS)
# Who may create an account: nobody, anyone who signs in through a configured provider, or everybody.
NETRA_SIGN_UP = env.choice("NETRA_SIGN_UP", "providers", ("closed", "providers", "open"))
ACCOUNT_ADAPTER = "netra.project.accounts.login_adapters.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "netra.project.accounts.login_adapters.SocialAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # Netra sends no mail; an email address never identifies a user
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_SESSION_REMEMBER = True
# Attempts, counted over all processes; the last limit is per account, whatever addresses the attempts come from.
ACCOUNT_RATE_LIMITS = {"login": "300/m/ip", "login_failed": "10/m/ip,5/5m/key", "signup": "20/m/ip"}
# How many of the site's own proxies append to X-Forwarded-For. Without it, all clients seem to have one address.
ALLAUTH_TRUSTED_PROXY_COUNT = env.integer("NETRA_TRUSTED_PROXIES", 0)

# Browser security. Strict by default; NETRA_HTTPS adds what needs https.

HTTPS = env.flag("NETRA_HTTPS")
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # probes come over plain http from inside
SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", 3600 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("SECURE_HSTS_INCLUDE_SUBDOMAINS")
SECURE_HSTS_PRELOAD = env.flag("SECURE_HSTS_PRELOAD")
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
if env.flag("NETRA_TRUST_FORWARDED_PROTO"):
    # Only behind a proxy that sets or removes this header itself: otherwise any client could claim to use https.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS")
NETRA_LOGIN_ORIGINS = env.items("NETRA_LOGIN_ORIGINS")
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'", *login_origins(SOCIALACCOUNT_PROVIDERS), *NETRA_LOGIN_ORIGINS],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    },
}

# Language and time: everything on the wire is UTC.

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

LOGGING = log_config(
    level=env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    style=env.choice("LOG_FORMAT", "text" if DEBUG else "json", ("json", "text")),
)

env.integer("ASGI_THREADS", 1, minimum=1)  # read by the event loop, whose error would not name the variable

# Misspelt variables, for `websocket_core.W020`: names that begin with NETRA_ and were not read above. The others are
# read by `golden_path` and by `make staging`.
_ELSEWHERE = {"NETRA_TOKEN", "NETRA_STAGING_DIR", "NETRA_STAGING_URL", "NETRA_STAGING_TOKEN"}
NETRA_UNREAD_VARIABLES = env.unread(PREFIX, _ELSEWHERE)
NETRA_READ_VARIABLES = sorted(name for name in env.asked | _ELSEWHERE if name.startswith(PREFIX))
