"""Which pages may open a WebSocket.

Channels' own validator takes any scheme or port for a host without one, and refuses programs, which send no Origin.
Here an Origin must be the address itself or one of ALLOWED_ORIGINS, whole; no Origin is a program, which has no cookie
authority (processing/access.py).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[Any]]


def allowed(origin: str, host: str) -> bool:
    """True where `origin` is listed, or is this very address under a host name that is served."""
    if origin.lower() in settings.HEADRACE.allowed_origins:
        return True
    scheme, _, address = origin.lower().partition("://")
    schemes = ("https",) if settings.HEADRACE.https else ("http", "https")
    domain, _ = split_domain_port(address)
    return scheme in schemes and address == host.lower() and validate_host(domain, settings.ALLOWED_HOSTS)


class OriginGuard:
    """Refuses a handshake from a page that is not ours."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        host = headers.get(b"host", b"").decode("latin-1")
        if origin is not None and not allowed(origin.decode("latin-1"), host):
            return await WebsocketDenier()(scope, receive, send)
        return await self.application(scope, receive, send)
