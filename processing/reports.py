"""What an attempt's child reports while it runs: kept in order, bounded, written in batches, told as news."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import DatabaseError

from processing import events, leases
from processing.courier import Courier
from processing.errors import LostLease
from processing.events import EventData
from processing.models import Job
from processing.patience import Patience, TooLateError
from processing.runner import Message

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.2
GATHER_SECONDS = 0.005
"""So long an event waits for others, or for the job's end, to share a transaction with."""

BATCH = 200
WAITING_EVENTS = 400
WAITING_BYTES = 1 << 20
"""With more than this unwritten the child is not read: then it waits."""

PRINTED_LINES = 1000
PRINTED_BYTES = 256 << 10
"""What a job may print, and log with `logging`; its own Log steps are not counted."""


class Reports:
    """`take()` each report; `remaining()` at the end gives what is still unwritten, for the finish to write."""

    def __init__(self, job: Job, database: Patience, courier: Courier) -> None:
        self.newest: dict[str, Any] | None = None
        self.unsaved = False
        self.deadline: Callable[[], float] = time.monotonic
        self._job = job
        self._database = database
        self._courier = courier
        self.lost: Callable[[], None] = lambda: None
        self._waiting: list[tuple[EventData, int]] = []
        self._bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._room = asyncio.Event()
        self._held = True
        self._ended = False
        self._told_at = 0.0
        self._telling: asyncio.TimerHandle | None = None
        self._lines = 0
        self._printed = 0

    async def take(self, message: Message) -> None:
        """Keep one report; waits while too much is unwritten, which makes the child wait."""
        match message["type"]:
            case "progress":
                self._progress({key: message[key] for key in ("done", "total", "unit", "message") if message.get(key)})
            case "partial":
                self._happened(("partial", {"data": message["data"]}))
            case "log" if message.get("asked"):
                self._happened(("log", {"level": message["level"], "message": message["message"]}))
            case "log":
                self.printed(message["level"], message["message"])
        while self._held and (len(self._waiting) > WAITING_EVENTS or self._bytes > WAITING_BYTES):
            self._room.clear()
            self._write_soon(0)
            await self._room.wait()

    def printed(self, level: str, line: str) -> None:
        """A line that the child printed or logged; one note tells where the rest is cut."""
        if self._lines > PRINTED_LINES or self._printed > PRINTED_BYTES:
            return
        self._lines += 1
        self._printed += len(line)
        self._happened(("log", {"level": level, "message": line}))
        if self._lines > PRINTED_LINES or self._printed > PRINTED_BYTES:
            note = f"It printed more than {PRINTED_LINES} lines or {PRINTED_BYTES >> 10} KiB; the rest is cut."
            self._happened(("log", {"level": "warning", "message": note}))

    def stop_holding(self) -> None:
        """Read on whatever is unwritten: the attempt is to end."""
        self._held = False
        self._room.set()

    async def remaining(self) -> Sequence[EventData]:
        """Stop writing; what was not written."""
        self._ended = True
        for timer in (self._gathering, self._telling):
            if timer is not None:
                timer.cancel()
        if self._writing is not None:
            await self._writing
        left, self._waiting = self._waiting, []
        return [event for event, _ in left]

    def _progress(self, value: dict[str, Any]) -> None:
        self.newest = {"done": 0, "total": None, **value}
        self.unsaved = True
        if self._telling is None:
            pause = self._told_at + PROGRESS_SECONDS - time.monotonic()
            self._telling = asyncio.get_running_loop().call_later(max(0, pause), self._tell)

    def _tell(self) -> None:
        self._telling = None
        self._told_at = time.monotonic()
        if self.newest is not None:
            self._courier.post([events.progress(self._job, self.newest)])

    def _happened(self, event: EventData) -> None:
        size = len(json.dumps(event[1]))
        self._waiting.append((event, size))
        self._bytes += size
        self._write_soon(GATHER_SECONDS)

    def _write_soon(self, seconds: float) -> None:
        if self._writing is None and self._gathering is None and not self._ended:
            self._gathering = asyncio.get_running_loop().call_later(seconds, self._begin)

    def _begin(self) -> None:
        self._gathering = None
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._waiting and not self._ended:
                batch = self._waiting[:BATCH]
                happened = [event for event, _ in batch]
                news = await self._database.call_until(self.deadline, leases.record, self._job, happened)
                del self._waiting[: len(batch)]
                self._bytes -= sum(size for _, size in batch)
                self._room.set()
                self._courier.post(news)
        except (LostLease, TooLateError):
            self._waiting.clear()
            self.lost()
        except (DatabaseError, ValueError):  # a value that no row can hold: the child does not send such, if it is sane
            logger.exception("job %s: its events cannot be stored; they are dropped", self._job.pk)
            self._waiting.clear()
        finally:
            self._writing = None
            self._room.set()
