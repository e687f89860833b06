"""One socket's conversation: carries out what UploadProtocol asks for, and sends what it has to say."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from django.conf import settings

from processing import access
from processing.access import Principal
from processing.registry import registry
from processing.threads import in_db
from uploads import requests, services
from uploads.errors import Forbidden, HeadraceError
from uploads.flow import Limits
from uploads.follower import Follower
from uploads.jobdesk import JobDesk
from uploads.mailbox import Mailbox
from uploads.protocol import UploadProtocol
from uploads.services import Held, Wanted
from uploads.transfer import Transfer

logger = logging.getLogger(__name__)

PENDING_BYTES = 4 << 20
"""Received and not yet stored, over all refs: above it nothing more is read from the socket."""

QUESTIONS = 16
"""Requests about jobs that one socket may have under way: while there are more, nothing more is read from it."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


def limits() -> Limits:
    """The limits of a socket, from the settings."""
    env = settings.HEADRACE
    return Limits(**{name: getattr(env, name) for name in Limits.__dataclass_fields__})


class Session:
    """What one socket holds. Its tasks end with `close`."""

    def __init__(self, send: Send) -> None:
        self.protocol = UploadProtocol(limits(), idle_seconds=settings.HEADRACE.idle_seconds)
        self.mailbox = Mailbox(self._letter)
        self.follower = Follower(self.mailbox, self.protocol, self.flush)
        self.now = time.monotonic
        self._desk = JobDesk(self.protocol, self.mailbox, self.follower, self.flush)
        self.closed = False
        self._send = send
        self._sending = asyncio.Lock()
        self._principal = access.NOBODY
        self._transfers: dict[int, Transfer] = {}
        self._asking = asyncio.Semaphore(QUESTIONS)
        self._errands: set[asyncio.Task[None]] = set()
        self._pending = 0
        self._room = asyncio.Event()
        self._ticked = asyncio.Event()

    async def start(self, principal: Principal) -> None:
        """Greet, and begin to hear the channel layer."""
        self.mailbox.start()
        self._greet(principal)
        self._errand(self._keep_time())
        await self.flush()

    async def text(self, text: str) -> None:
        """One text frame."""
        await self._carry_out(self.protocol.receive_text(text, self.now()))

    async def data(self, frame: bytes) -> None:
        """One binary frame. Returns once there is room for another."""
        await self._carry_out(self.protocol.receive_data(frame, self.now()))
        if self._pending > PENDING_BYTES:
            self.protocol.pause_reading(self.now())
            while self._pending > PENDING_BYTES:
                self._room.clear()
                await self._room.wait()
            self.protocol.resume_reading(self.now())

    async def flush(self) -> None:
        """Send all that the protocol has to say, and close where it says so."""
        async with self._sending:
            if self.closed:
                return
            for message in self.protocol.take():
                await self._send({"type": "websocket.send", "text": json.dumps(message, separators=(",", ":"))})
            if close := self.protocol.close:
                self.closed = True
                await self._send({"type": "websocket.close", "code": close.code, "reason": close.reason})
        self._ticked.set()

    async def bye(self, reason: str, retry_after_seconds: float) -> None:
        """Say goodbye before a restart."""
        self.protocol.bye(reason, retry_after_seconds)
        await self.flush()

    async def close(self) -> None:
        """The socket is gone: uploads detach once what they have received is stored."""
        self.closed = True
        transfers = [transfer.task for transfer in self._transfers.values()]
        for transfer in list(self._transfers.values()):
            transfer.leave()
        for errand in self._errands:
            errand.cancel()
        await self.mailbox.close()
        if transfers:
            await asyncio.wait(transfers)

    # -- for a Transfer

    async def opened(self, ref: int, held: Held) -> None:
        """An upload is in this socket's hands, or is sealed already."""
        upload, writer = held.upload, held.writer
        offset = writer.offset if writer else upload.size or 0
        job = held.job.pk if held.job else None
        taken = self.protocol.opened(
            ref, upload.pk, held.token or None, offset, upload.size, upload.expires_at, job, sealed=writer is None
        )
        for ended in taken:
            self._ended(ended)
        await self.flush()

    def stored_bytes(self, count: int) -> None:
        """So many received bytes wait no more."""
        self._pending -= count
        self._room.set()

    def gone(self, ref: int) -> None:
        """A transfer's task is over."""
        self._transfers.pop(ref, None)

    # -- requests

    async def _carry_out(self, wanted: list[requests.Request]) -> None:
        for request in wanted:
            if isinstance(request, requests.Chunk):
                self._pending += len(request.payload)
                self._transfers[request.ref].chunk(request.payload)
            elif isinstance(request, requests.Open | requests.Resume):
                self._transfers[request.ref] = Transfer(self, request.ref, self._taker(request))
            elif isinstance(request, requests.Finish):
                self._transfers[request.ref].finish(request)
            elif isinstance(request, requests.Abort):
                self._transfers[request.ref].leave(services.abort)
            elif isinstance(request, requests.Ended):
                self._ended(request)
            elif isinstance(request, requests.Authenticate):
                await self._authenticate(request.token)
            else:
                await self._asking.acquire()
                self._errand(self._ask(request))
        await self.flush()

    async def _ask(self, request: requests.Request) -> None:
        try:
            await self._desk.serve(self._principal, request)
        finally:
            self._asking.release()

    def _taker(self, request: requests.Open | requests.Resume) -> Callable[[str], Held]:
        if isinstance(request, requests.Resume):
            return partial(services.resume, self._principal, request.upload, request.token)
        message = request.message
        wanted = Wanted(
            name=message.name,
            size=message.size,
            content_type=message.content_type or "",
            modified=message.modified,
            sha256=message.sha256 or "",
            processor=message.processor,
            params=message.params,
            key=message.key or "",
        )
        return partial(services.open_upload, self._principal, wanted)

    def _ended(self, ended: requests.Ended) -> None:
        if transfer := self._transfers.get(ended.ref):
            transfer.leave(services.fail_too_large if ended.code == "too_large" else None)

    async def _authenticate(self, token: str) -> None:
        try:
            principal = await in_db(access.of_token, token)
            if self.protocol.open_refs and principal.owner != self._principal.owner:
                raise Forbidden("The user cannot change while an upload is open.")
        except HeadraceError as error:
            self.protocol.failed(None, error)
        else:
            self._greet(principal)

    def _greet(self, principal: Principal) -> None:
        self._principal = principal
        user = principal.username or None
        self.protocol.welcome(user, registry().describe(), settings.HEADRACE.heartbeat_seconds)

    # -- the channel layer and the clock

    async def _letter(self, message: dict[str, Any]) -> None:
        if message["type"] == "job.event":
            await self.follower.hear(message["event"])
        elif message["type"] == "upload.taken":
            for transfer in list(self._transfers.values()):
                upload = transfer.upload
                if upload and str(upload.pk) == message["upload"] and upload.epoch < message["epoch"]:
                    self.protocol.detached(transfer.ref, "taken_over")
                    transfer.leave()
            await self.flush()

    async def _keep_time(self) -> None:
        """Tick when the protocol wants it, and read the rows of followed jobs at every heartbeat."""
        heartbeat = settings.HEADRACE.heartbeat_seconds
        next_look = self.now() + heartbeat
        while True:
            due = min(self.protocol.deadline or next_look, next_look)
            self._ticked.clear()
            try:
                async with asyncio.timeout(max(0.005, due - self.now())):
                    await self._ticked.wait()
            except TimeoutError:
                await self._carry_out(self.protocol.tick(self.now()))
                if self.now() >= next_look:
                    next_look = self.now() + heartbeat
                    self._errand(self._look())

    async def _look(self) -> None:
        try:
            await self.follower.catch_up()
        except Exception:
            logger.exception("reading the rows of followed jobs")

    def _errand(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
