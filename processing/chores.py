"""What a worker does beside jobs. Other apps register here, so that processing need not know them."""

from collections.abc import Callable

_chores: dict[str, Callable[[], int]] = {}


def register(title: str, chore: Callable[[], int]) -> None:
    """Let every worker call `chore` now and then in a database thread; it returns how many things it mended."""
    _chores[title] = chore


def all_chores() -> dict[str, Callable[[], int]]:
    """The chores by title, oldest first."""
    return dict(_chores)
