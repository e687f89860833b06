"""Free ports, and waiting for something to become true."""

import asyncio
import random
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

_handed_out: set[int] = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens.

    It lies below the kernel's ephemeral range: while a service is down its clients knock at its port again and again,
    and a knock from an ephemeral port at that same port would connect to itself and occupy it.
    """
    for _ in range(1000):
        port = random.randrange(20_000, 32_000)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise AssertionError("found no free port")


What = str | Callable[[], str]
"""What is waited for, as text, or as a function that is called when the time is up."""


def _late(what: What, predicate: object, timeout: float, last: object) -> AssertionError:
    text = what() if callable(what) else what or getattr(predicate, "__qualname__", repr(predicate))
    return AssertionError(f"waited {timeout:g} s in vain (last seen: {last!r}) for {text}")


def wait_until(predicate: Callable[[], T], timeout: float = 10, *, what: What = "", every: float = 0.02) -> T:
    """Call `predicate` until it gives something true, and return that.

    Raises AssertionError after `timeout` seconds, naming `what` was waited for and the last value or exception.
    OSError and AssertionError of the predicate count as "not yet".
    """
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            value = predicate()
            if value:
                return value
            last = value
        except (OSError, AssertionError) as error:
            last = error
        if time.monotonic() > deadline:
            raise _late(what, predicate, timeout, last)
        time.sleep(every)


@overload
async def wait_for(
    predicate: Callable[[], Awaitable[T]], timeout: float = 10, *, what: What = "", every: float = 0.02
) -> T: ...
@overload
async def wait_for(predicate: Callable[[], T], timeout: float = 10, *, what: What = "", every: float = 0.02) -> T: ...
async def wait_for(predicate: Callable[[], Any], timeout: float = 10, *, what: What = "", every: float = 0.02) -> Any:
    """wait_until for async tests: the predicate may be a coroutine function, and the loop goes on meanwhile."""
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            found = predicate()
            value = await found if isinstance(found, Awaitable) else found
            if value:
                return value
            last = value
        except (OSError, AssertionError) as error:
            last = error
        if time.monotonic() > deadline:
            raise _late(what, predicate, timeout, last)
        await asyncio.sleep(every)
