"""Make, list and revoke the tokens with which programs act for a user."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from processing import access
from processing.models import ApiToken


class Command(BaseCommand):
    """`token make|list|revoke`."""

    help = (
        "API tokens: a program sends `Authorization: Bearer TOKEN` and acts for the token's user.\n"
        "The secret is printed once, by `make`; only its hash is kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the three sub-commands."""
        actions = parser.add_subparsers(dest="action", required=True)
        make = actions.add_parser("make", help="make a token and print it, this once")
        make.add_argument("username")
        make.add_argument("--label", default="", help="what it is for, to know it again in the list")
        make.add_argument("--days", type=float, help="it ends after so many days (else never)")
        listing = actions.add_parser("list", help="list tokens, without their secrets")
        listing.add_argument("username", nargs="?")
        revoke = actions.add_parser("revoke", help="end a token at once")
        revoke.add_argument("id", help="the id that `list` shows")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Run one sub-command."""
        getattr(self, f"_{action}")(**options)

    def _make(self, *, username: str, label: str, days: float | None, **_: Any) -> None:
        users = get_user_model()
        user = users.objects.filter(**{users.USERNAME_FIELD: username}).first()
        if user is None:
            raise CommandError(f"There is no user {username}. `manage.py createsuperuser` makes one.", returncode=2)
        token, secret = access.make_token(user, label)
        if days is not None:
            token.expires_at = timezone.now() + timedelta(days=days)
            token.save()
        self.stdout.write(secret)

    def _list(self, *, username: str | None, **_: Any) -> None:
        tokens = ApiToken.objects.select_related("user")
        for token in tokens.filter(user__username=username) if username else tokens:
            ends = f"revoked {token.revoked_at:%F}" if token.revoked_at else "active"
            used = f"last used {token.last_used_at:%F %R}" if token.last_used_at else "never used"
            self.stdout.write(f"{token.pk}  {token.user}  {ends}  {used}  {token.label}")

    def _revoke(self, *, id: str, **_: Any) -> None:  # noqa: A002 - the argument's name on the command line
        try:
            hit = ApiToken.objects.filter(pk=id, revoked_at=None).update(revoked_at=timezone.now())
        except ValidationError:
            hit = 0
        if not hit:
            raise CommandError(f"There is no active token {id}. `manage.py token list` shows them.", returncode=2)
        self.stdout.write("Revoked.")
