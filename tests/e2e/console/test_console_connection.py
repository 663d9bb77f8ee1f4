"""What happens to the page when tabs, connections, servers and sessions come and go."""

import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Response, Route, expect

from e2e.console.looks import look
from e2e.console.reader import Console, OpenConsole, Person
from servers.netra import NetraServer


def test_reload_in_the_middle__nothing_is_lost_or_doubled(console: Console, person: Person) -> None:
    """A page that is loaded again in the middle of a run shows the same, and goes on."""
    run = console.ask("analyst", "day,units\n2026-01-01,12")
    person.open_gate("thought")
    expect(run.locator(".tool")).to_have_count(2)
    thread = console.thread
    console.reload()
    assert console.thread == thread
    expect(run.locator(".tool")).to_have_count(2)
    expect(run.locator(".thought .args")).to_contain_text(
        "The text looks like a table with a header line. I will count"
    )
    expect(run.locator(".asked")).to_have_text("day,units\n2026-01-01,12")
    person.open_gate("columns")
    person.open_gate("answered")
    expect(run).to_have_attribute("data-status", "completed")
    expect(console.runs).to_have_count(1)
    expect(run.locator(".message h5")).to_have_count(1)
    expect(run.locator(".foot")).to_contain_text(f"{max(event['seq'] for event in console.events())} events")


def test_second_tab__shows_the_same_live(open_console: OpenConsole, person: Person) -> None:
    """Two tabs of one thread show the same run, each as it happens, and either can ask and stop."""
    first, second = open_console(person), open_console(person)
    run = first.ask("analyst", "day,units\n2026-01-01,12")
    # The new thread is in the other tab's list at once, with what goes on in it.
    item = second.page.locator("#threads li", has_text="day,units")
    expect(item.locator(".state-words")).to_have_text("running")
    item.locator("a").click()
    expect(second.runs.first.locator(".thought-text")).to_contain_text("only then say anything about it.")
    person.open_gate("thought")
    person.open_gate("columns")
    for tab in (first, second):
        expect(tab.runs.first.locator(".message h5")).to_have_text("What the table says")
    person.open_gate("answered")
    for tab in (first, second):
        expect(tab.runs.first).to_have_attribute("data-status", "completed")
    assert second.runs.first.locator(".steps").inner_text() == run.locator(".steps").inner_text()
    second.ask("patient", "One more thing")
    expect(first.runs).to_have_count(2)
    expect(first.runs.nth(1).locator(".asked")).to_have_text("One more thing")
    first.page.click("#stop")
    expect(second.runs.nth(1)).to_have_attribute("data-status", "cancelled")
    expect(item).to_have_attribute("data-status", "cancelled")


def test_connection_lost__content_stays_and_nothing_jumps(
    open_console: OpenConsole, private: tuple[NetraServer, Iterator[Person]]
) -> None:
    """While the server is gone the page keeps what it has and says so; when it is back, the end of the run is there."""
    server, people = private
    person = next(people)
    console = open_console(person, server=server)
    page = console.page
    run = console.ask("talker", "Tell me a lot")
    expect(run).to_contain_text("This is line 60 of")
    page.locator(".scroller").evaluate("box => { box.scrollTop = 300; }")
    before = page.locator(".scroller").evaluate("box => [box.scrollTop, box.clientHeight]")
    server.kill()
    line = page.locator("#connection")
    expect(line).to_have_text(re.compile("Connection lost. Your runs continue."))
    expect(run).to_contain_text("This is line 60 of")
    assert page.locator(".scroller").evaluate("box => [box.scrollTop, box.clientHeight]") == before
    look(page, "reconnecting")

    page.fill("#composer-text", "Are you there?")
    page.press("#composer-text", "Control+Enter")
    expect(console.runs).to_have_count(2)
    expect(console.runs.nth(1)).to_have_attribute("data-status", "sending")
    server.start()
    expect(line).to_have_class(re.compile("idle"), timeout=60_000)
    # The process that ran it is gone: the run ends as lost, and the question asked meanwhile has its turn.
    expect(run).to_have_attribute("data-status", "failed", timeout=90_000)
    expect(run.locator(".failure strong")).to_have_text("The server running it stopped unexpectedly")
    expect(console.runs.nth(1)).to_have_attribute("data-status", "running")
    expect(console.runs).to_have_count(2)
    expect(page.locator("#announcer")).not_to_be_empty()


def test_away_for_a_while__what_happened_meanwhile_comes_without_a_seam(console: Console, person: Person) -> None:
    """Events of the time without a connection arrive once, in order, and do not move what is being read."""
    page = console.page
    console.remember_sockets()
    console.reload()
    run = console.ask("talker", "Tell me a lot")
    expect(run).to_contain_text("This is line 60 of")
    page.locator(".scroller").evaluate("box => { box.scrollTop = 300; }")
    page.route("**/console/bootstrap.json", lambda route: route.abort())  # which the page asks for before it is back
    console.cut()
    expect(page.locator("#connection")).to_have_text(re.compile("Connection lost"))
    person.open_gate("more")
    watcher = page.context.new_page()
    watcher.goto(page.url)
    expect(watcher.locator(".run")).to_have_attribute("data-status", "completed")
    expect(run).to_have_attribute("data-status", "running")
    page.unroute("**/console/bootstrap.json")
    expect(run).to_have_attribute("data-status", "completed")
    lines = run.locator("li.message li").all_inner_texts()
    assert lines == [f"This is line {number} of what it has to say." for number in range(120)]
    assert page.locator(".scroller").evaluate("box => box.scrollTop") == 300
    expect(page.get_by_role("button", name="To the end")).to_be_visible()
    look(page, "resumed-while-reading")


def test_server_draining__says_so_and_comes_back(
    open_console: OpenConsole, private: tuple[NetraServer, Iterator[Person]]
) -> None:
    """A server that is restarted on purpose tells its pages, which wait for the next one."""
    server, people = private
    person = next(people)
    console = open_console(person, server=server)
    run = console.ask("patient", "Take your time")
    expect(run.locator("li.thought")).to_be_visible()
    server.signal(signal.SIGTERM)
    line = console.page.locator("#connection")
    expect(line).to_have_text(re.compile("The server is restarting. Your runs and events are safe"))
    look(console.page, "server-draining")
    server.wait()
    expect(line).to_have_text(re.compile("The server is restarting. Your runs and events are safe"))
    server.start()
    expect(run).to_have_attribute("data-status", "failed", timeout=60_000)
    expect(run.locator(".failure strong")).to_have_text("The server was stopped")


def test_refused__the_text_comes_back(console: Console) -> None:
    """What cannot be sent is in the message box again, with the reason."""
    page = console.page
    text = "ä" * 40_000
    page.fill("#composer-text", text)
    page.press("#composer-text", "Control+Enter")
    expect(page.locator("#composer .problem")).to_have_text(re.compile("This is too long to be sent at once"))
    expect(page.locator("#composer-text")).to_have_value(text)
    expect(console.runs).to_have_count(0)
    assert console.page.evaluate("location.hash") == "#/new"
    look(page, "refused")
    page.fill("#composer-text", "Half a sent")
    console.reload()  # loses nothing that was typed
    expect(page.locator("#composer-text")).to_have_value("Half a sent")


def test_log_out_in_another_tab__takes_the_content_away(open_console: OpenConsole, person: Person) -> None:
    """Logged out in one tab, the other says so within seconds, shows nothing any more, and leads back in."""
    context = open_console.context(person)
    first = open_console(person, context=context)
    run = first.ask("patient", "Something private")
    expect(run.locator("li.thought")).to_be_visible()
    thread = first.thread
    second = open_console(person, context=context)
    second.page.get_by_role("button", name="Log out").click()
    second.page.wait_for_url("**/accounts/login/**")
    page = first.page
    expect(page.get_by_role("heading", name="You are logged out")).to_be_visible()
    expect(page.locator("body")).to_contain_text("You were logged out, here or in another tab.")
    assert "Something private" not in page.content()
    look(page, "logged-out-in-another-tab")
    link = page.get_by_role("link", name="Log in").get_attribute("href")
    assert link is not None
    assert "/accounts/login/?next=%2F%23%2Ft%2F" in link
    assert thread.split("/")[-1] in link


def test_session_expiring__is_told_before_it_happens(
    open_console: OpenConsole, people: Iterator[Person], console_server: NetraServer
) -> None:
    """In the last minute of a session the page says how long it lasts, and that nothing typed is lost."""
    person = next(people)
    end = datetime.now(UTC) + timedelta(seconds=58)
    with sqlite3.connect(console_server.installation.folder / "db.sqlite3", timeout=30) as database:
        changed = database.execute(
            "UPDATE django_session SET expire_date = ? WHERE session_key = ?",
            (end.strftime("%Y-%m-%d %H:%M:%S"), person.session),
        )
        assert changed.rowcount == 1
    page = open_console(person).page
    told = re.compile(r"Your session ends in \d+ s\. Your draft is kept; log in again afterwards\.")
    expect(page.locator("#connection")).to_have_text(told)
    look(page, "session-expiring", "light", "phone-dark")


def test_somebody_else_logs_in__this_page_shows_none_of_it(
    open_console: OpenConsole, people: Iterator[Person], console_server: NetraServer
) -> None:
    """A page that was offline while the browser's user changed must not come back as the other one."""
    ada, bob = next(people), next(people)
    bobs = open_console(bob)
    bobs.ask("test", "Bob's secret thread")
    expect(bobs.runs.first).to_have_attribute("data-status", "completed")
    context = open_console.context(ada)
    adas = open_console(ada, context=context)
    adas.remember_sockets()
    adas.reload()
    adas.ask("test", "Ada's thread")
    expect(adas.runs.first).to_have_attribute("data-status", "completed")
    context.clear_cookies()
    context.add_cookies([{"name": "sessionid", "value": bob.session, "url": console_server.url}])
    adas.cut()
    expect(adas.page.get_by_role("heading", name="You are logged out")).to_be_visible()
    expect(adas.page.locator("body")).to_contain_text("Somebody else has logged in here")
    assert "Bob's secret thread" not in "".join(adas.received) + adas.page.content()


def test_two_browsers_two_users__neither_gets_a_byte_of_the_other(
    open_console: OpenConsole, people: Iterator[Person]
) -> None:
    """Everything each browser receives, frames and pages, is searched for what the other has said and is called."""
    ada, bob = next(people), next(people)
    consoles = {"ada": open_console(ada), "bob": open_console(bob)}
    bodies: dict[str, list[str]] = {"ada": [], "bob": []}
    for name, console in consoles.items():
        console.page.on("response", _collector(bodies[name]))
        console.ask("test", f"marker-of-{name}")
        expect(console.runs.first).to_have_attribute("data-status", "completed")
        console.ask("patient", f"second-marker-of-{name}")
        expect(console.runs.nth(1)).to_have_attribute("data-status", "running")
    threads = {name: console.thread for name, console in consoles.items()}

    # Bob has got hold of the address of Ada's thread: for him there is nothing there.
    consoles["bob"].open(threads["ada"])
    expect(consoles["bob"].page.locator("#nothing")).to_contain_text("This thread is empty or does not exist.")
    # Using it makes a thread of his own by that name.
    consoles["bob"].ask("test", "third-marker-of-bob")
    expect(consoles["bob"].runs.first).to_have_attribute("data-status", "completed")
    # And he cannot stop her run, even knowing its id.
    run = consoles["ada"].runs.nth(1)
    _send(consoles["bob"], {"action": "stop_agent", "run_id": run.get_attribute("data-run"), "request_id": "theft"})
    consoles["bob"].page.wait_for_function("() => window.answers?.some((text) => text.includes('theft'))")
    assert '"not_found"' in consoles["bob"].page.evaluate("window.answers.find((text) => text.includes('theft'))")
    expect(run).to_have_attribute("data-status", "running")

    for console in consoles.values():
        console.reload()
        expect(console.page.locator("#threads li").first).to_be_visible()
    expect(consoles["ada"].runs).to_have_count(2)
    for name, other in (("ada", "bob"), ("bob", "ada")):
        received = "".join(consoles[name].received) + "".join(bodies[name]) + consoles[name].page.content()
        assert f"marker-of-{name}" in received
        assert f"marker-of-{other}" not in received
        person = {"ada": ada, "bob": bob}[other]
        assert person.name not in received
        own, others = ({event["run_id"] for event in consoles[who].events()} for who in (name, other))
        assert own
        assert others
        assert not own & others


def _collector(bodies: list[str]) -> Callable[[Response], None]:
    return lambda response: bodies.append(_body(response))


def _body(response: Response) -> str:
    try:
        return response.text()
    except Exception:  # noqa: BLE001 - redirects and closed pages have none
        return ""


def _send(console: Console, frame: dict[str, object]) -> None:
    """Send a frame of one's own from this browser; what comes back is in `window.answers`."""
    console.page.evaluate(
        """(frame) => {
          window.answers = [];
          const socket = new WebSocket(`ws://${location.host}/ws`, ["netra.v1"]);
          socket.onmessage = (message) => window.answers.push(message.data);
          socket.onopen = () => socket.send(JSON.stringify(frame));
        }""",
        frame,
    )


def test_reconnect_that_hangs__try_now_helps(
    open_console: OpenConsole, private: tuple[NetraServer, Iterator[Person]]
) -> None:
    """An attempt to come back that nobody answers leaves the reader a way: it is given up for a new one."""
    server, people = private
    console = open_console(next(people), server=server)
    page = console.page
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:  # the first is never answered
            route.continue_()

    page.route(re.compile("bootstrap.json"), answer)
    with page.expect_request(re.compile("bootstrap.json"), timeout=60_000):
        server.kill()
        server.start()
    line, try_now = page.locator("#connection"), page.locator("#try-now")
    expect(line).to_contain_text("Reconnecting…")
    expect(try_now).to_be_visible()
    try_now.click()
    expect(try_now).to_be_hidden()
    expect(line).to_have_class("idle")
