import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.channels_peer.settings")
from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter
from django.db import connection
from django.urls import path

from benchmarks.channels_peer import consumers
from benchmarks.channels_peer.models import Event

KIND = os.environ.get("PEER_CONSUMER", "group")
consumer = {
    "group": consumers.GroupConsumer,
    "direct": consumers.DirectConsumer,
    "durable": consumers.DurableConsumer,
}[KIND]
if KIND == "durable":
    with connection.schema_editor() as editor:
        editor.create_model(Event)
    connection.close()
application = ProtocolTypeRouter(
    {"http": django_application, "websocket": URLRouter([path("ws/", consumer.as_asgi())])}
)
