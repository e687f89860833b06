"""Who may do what."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from processing import access
from processing.access import NOBODY, Principal
from processing.errors import Unauthorized
from processing.models import ApiToken


def test_the_owner_is_the_user_else_the_session_else_nobody() -> None:
    assert Principal(user_id=7, session="s").owner == "user:7"
    assert Principal(session="s").owner.startswith("session:")
    assert "s3cret" not in Principal(session="s3cret").owner
    assert NOBODY.owner == ""


def test_what_an_anonymous_session_made_stays_its_own_after_log_in() -> None:
    before, after = Principal(session="s"), Principal(user_id=7, session="s")
    assert after.may(before.owner, "")
    assert not before.may(after.owner, "")


def test_nobodys_things_open_with_the_token_alone() -> None:
    token = access.new_token()
    kept = access.hash_token(token)
    assert NOBODY.may("", kept, token)
    assert not NOBODY.may("", kept)
    assert not NOBODY.may("", kept, "")
    assert not NOBODY.may("", "", "")
    assert not NOBODY.may("user:7", kept, token + "x")
    assert not Principal(session="s").may("", "", None)


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada")


def test_an_api_token_acts_for_its_user_until_it_ends(user: User) -> None:
    row, secret = access.make_token(user, "laptop")
    assert access.of_bearer(f"Bearer {secret}") == Principal(user.pk, "ada")
    assert secret not in str(ApiToken.objects.values())
    row.refresh_from_db()
    assert row.last_used_at is not None
    for change in (
        {"revoked_at": timezone.now()},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
    ):
        ApiToken.objects.filter(pk=row.pk).update(revoked_at=None, expires_at=None)
        access.of_token(secret)
        ApiToken.objects.filter(pk=row.pk).update(**change)
        with pytest.raises(Unauthorized):
            access.of_token(secret)
    ApiToken.objects.update(revoked_at=None, expires_at=None)
    User.objects.update(is_active=False)
    with pytest.raises(Unauthorized):
        access.of_token(secret)


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "Bearer nonsense", "token"])
def test_a_bad_authorization_is_refused(db: None, header: str) -> None:
    with pytest.raises(Unauthorized):
        access.of_bearer(header)


def test_a_cookie_without_an_origin_has_no_authority(user: User) -> None:
    session = SessionStore()
    session[access.SESSION_KEY] = "s"
    scope = {"headers": [], "user": user, "session": session}
    assert access.of_scope(scope) == NOBODY
    assert access.of_scope({**scope, "headers": [(b"origin", b"http://x")]}).user_id == user.pk


def test_an_anonymous_session_is_given_once_and_only_where_allowed(db: None, settings: object) -> None:
    request = HttpRequest()
    request.session = SessionStore()
    request.user = AnonymousUser()
    access.ensure_session(request)
    assert access.SESSION_KEY not in request.session
    assert access.of_request(request) == NOBODY
    settings.HEADRACE = settings.HEADRACE.model_copy(update={"anonymous_sessions": True})  # type: ignore[attr-defined]
    access.ensure_session(request)
    first = access.of_request(request)
    access.ensure_session(request)
    assert access.of_request(request) == first != NOBODY


def test_the_anonymous_session_outlives_log_in(user: User, settings: object, client: Client) -> None:
    """What a browser uploaded before its person logged in is still theirs, and nobody else's after they log out."""
    settings.HEADRACE = settings.HEADRACE.model_copy(update={"anonymous_sessions": True})  # type: ignore[attr-defined]
    client.get("/")
    before = client.session[access.SESSION_KEY]
    user.set_password("correct horse")
    user.save()
    client.post("/accounts/login/", {"username": "ada", "password": "correct horse"})
    assert client.session["_auth_user_id"] == str(user.pk)
    assert client.session[access.SESSION_KEY] == before
    client.post("/accounts/logout/")
    client.get("/")
    assert client.session[access.SESSION_KEY] != before
