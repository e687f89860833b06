"""Who may do what.

A Principal is a user, a browser's anonymous session, or nobody. A token opens one upload and its jobs.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from processing.errors import Unauthorized
from processing.models import ApiToken

SESSION_KEY = "headrace_anonymous"


@dataclass(frozen=True)
class Principal:
    """Who asks. `owner` is what is written beside what they make; "" is nobody."""

    user_id: int | None = None
    username: str = ""
    is_staff: bool = False
    session: str = ""

    @property
    def owner(self) -> str:
        """`user:<id>`, else `session:<digest of the anonymous id>`, else nobody."""
        if self.user_id is not None:
            return f"user:{self.user_id}"
        return self.session_owner

    @property
    def session_owner(self) -> str:
        """The anonymous session's name, which stays the asker's after logging in."""
        return f"session:{hash_token(self.session)[:40]}" if self.session else ""

    def may(self, owner: str, capability_hash: str, token: str | None = None) -> bool:
        """True for the owner (their anonymous session before they logged in counts), or with the right token."""
        if owner and owner in (self.owner, self.session_owner):
            return True
        return bool(token and capability_hash and hmac.compare_digest(hash_token(token), capability_hash))


NOBODY = Principal()


def new_token() -> str:
    """256 random bits, as URL-safe text."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """What is kept of a token: SHA-256 is enough for a secret that is random itself."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def ensure_session(request: HttpRequest) -> None:
    """Give this browser an anonymous session id, where the settings allow it; it outlives log-in."""
    if settings.HEADRACE.anonymous_sessions and SESSION_KEY not in request.session:
        request.session[SESSION_KEY] = new_token()


def of_request(request: HttpRequest) -> Principal:
    """Who asks over HTTP: a Bearer token first, else the session cookie. Raises Unauthorized for a bad token."""
    header = request.headers.get("Authorization", "")
    if header:
        return of_bearer(header)
    return of_session(request.user, request.session)


def of_scope(scope: Mapping[str, Any]) -> Principal:
    """Who asks over a WebSocket. Without an Origin a cookie has no authority. Raises Unauthorized for a bad token."""
    headers = dict(scope["headers"])
    if header := headers.get(b"authorization", b"").decode("latin-1"):
        return of_bearer(header)
    if b"origin" not in headers:
        return NOBODY
    return of_session(scope["user"], scope["session"])


def of_session(user: Any, session: SessionBase) -> Principal:
    """The Principal of Django's session."""
    anonymous = session.get(SESSION_KEY, "") if settings.HEADRACE.anonymous_sessions else ""
    return _of_user(user, anonymous) if user.is_authenticated else Principal(session=anonymous)


def of_bearer(header: str) -> Principal:
    """The Principal of `Authorization: Bearer <token>`. Raises Unauthorized."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("Only Bearer tokens are understood.")
    return of_token(token.strip())


def of_token(token: str) -> Principal:
    """The Principal of an API token. Raises Unauthorized where it, or its user, is not valid any more."""
    now = timezone.now()
    valid = ApiToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None, user__is_active=True)
    row = valid.select_related("user").filter(token_hash=hash_token(token)).first()
    if row is None:
        raise Unauthorized("This token is unknown, revoked or expired.")
    ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
    return _of_user(row.user)


def make_token(user: User, label: str = "") -> tuple[ApiToken, str]:
    """A new API token and its secret, which is shown this once."""
    secret = new_token()
    return ApiToken.objects.create(user=user, label=label, token_hash=hash_token(secret)), secret


def _of_user(user: Any, session: str = "") -> Principal:
    return Principal(user.pk, user.get_username(), user.is_staff, session)
