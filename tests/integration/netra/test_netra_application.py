"""`netra_application`: which WebSockets are Netra's, and that everything else is as it was."""

from collections.abc import Iterator
from typing import Any

import pytest
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.test import modify_settings, override_settings

from netra import addresses
from netra.asgi import netra_application
from test_framework.gateway import issue_token
from websocket_core.testing.sockets import InProcessSocket, SocketClosed, connect

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_path_given() -> Iterator[None]:
    before = addresses._given
    yield
    addresses._given = before


async def site(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI application that answers every WebSocket with its path."""
    if scope["type"] != "websocket":
        raise ValueError(scope["type"])
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": f"the site at {scope['path']}"})
    await receive()


async def is_netra(application: Any, path: str) -> bool:
    async with connect(application, await issue_token("u"), path=path) as client:
        return bool((await client.ask("ping"))["event_type"] == "pong")


async def words(application: Any, path: str) -> str:
    socket = await InProcessSocket.open(application, path=path)
    text = await socket.recv()
    await socket.close()
    return text


async def test_sockets__of_other_paths_go_to_the_site() -> None:
    application = netra_application(site)
    assert await is_netra(application, "/ws")
    assert await is_netra(application, "/ws/")
    for path in ("/", "/ws/chat/", "/wsx", "/ws//"):
        assert await words(application, path) == f"the site at {path}"


@pytest.mark.parametrize("given", ["/live", "live/", "/live/"])
async def test_path(given: str) -> None:
    for application in (_by_setting(given), netra_application(site, path=given)):
        assert await is_netra(application, "/live")
        assert await is_netra(application, "/live/")
        assert await words(application, "/ws") == "the site at /ws"
    assert addresses.socket_address() == "/live"


def _by_setting(path: str) -> Any:
    with override_settings(NETRA_WS_PATH=path):
        return netra_application(site)


async def test_argument__wins_over_the_setting() -> None:
    with override_settings(NETRA_WS_PATH="/from-the-setting"):
        assert await is_netra(netra_application(site, path="/live"), "/live")


async def test_below_a_prefix() -> None:
    with override_settings(FORCE_SCRIPT_NAME="/below"):
        assert await is_netra(netra_application(site), "/below/ws")


async def test_twice__both_answer() -> None:
    application = netra_application(netra_application(site, path="/first"), path="/second")
    for path in ("/first", "/second"):
        assert await is_netra(application, path)
    assert await words(netra_application(netra_application(site)), "/") == "the site at /"


@pytest.mark.parametrize("make", [get_asgi_application, lambda: ProtocolTypeRouter({"http": get_asgi_application()})])
async def test_site_without_sockets__refuses_them_quietly(make: Any) -> None:
    with pytest.raises(SocketClosed):
        await InProcessSocket.open(netra_application(make()), path="/elsewhere")


def test_missing_app__is_named() -> None:
    with (
        modify_settings(INSTALLED_APPS={"remove": ["netra.apps.NetraConfig", "netra.agents.apps.AgentsConfig"]}),
        pytest.raises(ImproperlyConfigured, match="netra_application: add"),
    ):
        netra_application(site)
