"""Database calls that outlast an outage: a lock, a restart, a server that is away."""

import asyncio
import logging
import random
import sqlite3
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError

from processing.threads import in_db

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

LONGEST_PAUSE = 2.0


class TooLateError(Exception):
    """The database did not come back before the caller's deadline."""


class Patience:
    """Calls that are tried again while the database is away; one line is logged when it goes, one when it is back."""

    def __init__(self) -> None:
        self._away_since: float | None = None

    async def call(self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call until it works. `func` may run again after a commit whose answer was lost: it must bear that."""
        return await self.call_until(None, func, *args, **kwargs)

    async def call_until(
        self, deadline: Callable[[], float] | None, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same until the time, on the monotonic clock, that `deadline()` gives. Raises TooLateError after it."""
        pause = 0.05
        while True:
            try:
                value = await in_db(func, *args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                if getattr(error.__cause__, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
                    raise  # a wrong statement, a missing table: what SQLite calls so and no waiting mends
                self._gone(error)
                if deadline is not None and time.monotonic() + pause > deadline():
                    raise TooLateError(f"{type(error).__name__}: {error}") from error
            else:
                self._back()
                return value
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
            pause = min(LONGEST_PAUSE, pause * 2)

    def _gone(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            reason = " ".join(str(error).split())
            logger.warning("the database is away, trying on: %s: %s", type(error).__name__, reason)

    def _back(self) -> None:
        if self._away_since is not None:
            logger.warning("the database is back after %.1f s", time.monotonic() - self._away_since)
            self._away_since = None
