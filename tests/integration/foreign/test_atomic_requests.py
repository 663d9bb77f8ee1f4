"""A site with `ATOMIC_REQUESTS`, on every database: Django refuses asynchronous views there."""

from servers.fixtures import MakeSite

ASKS = """
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import URLResolver
from netra import urls

user = get_user_model().objects.create_user("ann@example.org")
client = Client()
client.force_login(user)
for path in ("healthz", "console/", "console/bootstrap.json", "metrics", "api/me", "api/agents", "api/openapi.json"):
    answer = client.get(f"/netra/{path}", REMOTE_ADDR="127.0.0.1")
    assert answer.status_code == 200, (path, answer.status_code)
assert client.get("/netra/readyz").status_code in (200, 503)
started = client.post("/netra/api/runs", {"agent_type": "orders"}, content_type="application/json")
assert started.status_code in (200, 201, 202), started.content


def views(patterns):
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from views(one.url_patterns)
        else:
            yield one

assert all(one.callback._non_atomic_requests == {"default", "more"} for one in views(urls.urlpatterns))
"""
AGENTS = "from netra.agents import agent\n\n\n@agent('orders')\nasync def orders(ctx, input):\n    return input\n"


def test_every_page_answers(make_site: MakeSite) -> None:
    site = make_site(
        'DATABASES["more"] = sqlite("more"); INSTALLED_APPS += ["shop"]\n'
        "for one in DATABASES.values():\n    one['ATOMIC_REQUESTS'] = True",
        {"shop/__init__.py": "", "shop/agents.py": AGENTS},
    )
    site.manage("migrate", "--no-input", "-v", "0")
    site.python(ASKS)
