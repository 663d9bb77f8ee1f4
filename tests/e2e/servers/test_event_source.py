"""A browser's own `EventSource` follows a thread, and goes on by itself where it was cut."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from servers.fixtures import MakeInstallation, StartServer

pytestmark = pytest.mark.browser

# Every event that comes, in the order of its coming, and how often the stream was opened.
FOLLOW = """
() => {
  window.seen = []; window.opened = 0;
  const source = new EventSource("/api/threads/t/events?after=0");
  source.onopen = () => { window.opened += 1; };
  source.onmessage = (message) => {
    window.seen.push([Number(message.lastEventId), JSON.parse(message.data).event_type]);
  };
}
"""


def test_event_source__resumes_by_itself_after_the_server_was_killed(
    browser: Browser, make_installation: MakeInstallation, start_server: StartServer
) -> None:
    installation = make_installation()
    cookie = installation.session("ann")
    user_id = installation.manage(
        *("shell", "--no-imports", "-c"),
        "from django.contrib.auth.models import User; print(User.objects.get().pk)",
    ).strip()
    token = installation.token(user_id)
    server = start_server(installation=installation)
    context = browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": server.url}])
    page = context.new_page()
    page.goto(server.url)

    def run() -> None:
        answer = context.request.post(
            f"{server.url}/api/runs",
            data={"agent_type": "test", "thread_id": "t"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status == 201, answer.text()

    def wait_for_runs(count: int) -> None:
        page.wait_for_function(
            "count => window.seen.filter(([, kind]) => kind === 'agent_completed').length >= count",
            arg=count,
            timeout=60_000,
        )

    page.evaluate(FOLLOW)
    run()
    wait_for_runs(1)
    server.kill()
    server.start()
    run()
    wait_for_runs(2)
    assert page.evaluate("window.opened") > 1
    seqs = [seq for seq, _ in page.evaluate("window.seen")]
    assert seqs == list(range(1, len(seqs) + 1))
    context.close()
