"""The ASGI application: HTTP, the WebSocket by its subprotocol, and the worker's channel."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()

# Only now: these need the apps to be loaded.
from channels.auth import AuthMiddleware  # noqa: E402
from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.sessions import CookieMiddleware, SessionMiddleware  # noqa: E402
from django.urls import re_path  # noqa: E402

from config.origins import OriginGuard  # noqa: E402
from processing.consumers import WorkerConsumer  # noqa: E402
from uploads.gate import websocket  # noqa: E402

paths = URLRouter([re_path(r"^ws$", websocket)])  # type: ignore[arg-type]  # Channels routes ASGI applications
application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": OriginGuard(CookieMiddleware(SessionMiddleware(AuthMiddleware(paths)))),
        "channel": ChannelNameRouter({"headrace.worker": WorkerConsumer.as_asgi()}),
    }
)
