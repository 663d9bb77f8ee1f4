"""A command ends runs and exits: the follow-up is left to a serving process, without a traceback."""

from servers.fixtures import MakeSite

AGENTS = "from netra.agents import agent\n\n\n@agent('orders')\nasync def orders(ctx, input):\n    return input\n"
RECEIVERS = """
from django.apps import AppConfig


def told(run, **kwargs):
    import time

    time.sleep(0.3)  # the process ends meanwhile


class ShopConfig(AppConfig):
    name = "shop"

    def ready(self):
        from netra.signals import run_finished

        run_finished.connect(told)
"""
STOPS = """
from django.contrib.auth import get_user_model

import netra

user = get_user_model().objects.create_user("ann@example.org")
for _ in range(3):
    netra.start("orders", user=user).stop()
"""


def test_it_leaves_no_traceback(make_site: MakeSite) -> None:
    site = make_site(
        'INSTALLED_APPS += ["shop"]',
        {"shop/__init__.py": "", "shop/agents.py": AGENTS, "shop/apps.py": RECEIVERS},
    )
    site.manage("migrate", "--no-input", "-v", "0")
    assert "Traceback" not in site.python(STOPS).text
    waiting = "from netra.agents.models import Run; print(Run.objects.filter(signal_due=True).count())"
    assert int(site.python(waiting).stdout) >= 1
