"""The ASGI application: HTTP, the WebSocket by its subprotocol, and the worker's channel."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter
from channels.sessions import CookieMiddleware, SessionMiddleware
from channels.auth import AuthMiddleware
from django.urls import path

from config.origins import OriginGuard
from processing.consumers import WorkerConsumer
from uploads.gate import websocket

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": OriginGuard(
            CookieMiddleware(SessionMiddleware(AuthMiddleware(URLRouter([path("ws", websocket)]))))
        ),
        "channel": ChannelNameRouter({"headrace.worker": WorkerConsumer.as_asgi()}),
    }
)
