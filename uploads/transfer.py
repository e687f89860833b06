"""One upload on one socket: a task that stores what arrives, in order, and seals it at the end.

While one batch is written in a file thread the next gathers, so under load a batch is many chunks and one thread hop,
and a lone chunk never waits for others.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from processing.models import Job
from processing.threads import in_db, in_files, in_sealing
from uploads import sealing, services
from uploads.errors import HeadraceError, Internal, StorageFull, TakenOver
from uploads.models import Upload
from uploads.requests import Finish
from uploads.services import Held
from uploads.store.base import StaleEpoch, StoreFull, Writer

if TYPE_CHECKING:
    from uploads.session import Session

logger = logging.getLogger(__name__)

FULL_RETRY_SECONDS = 30
SEALING_POLL_SECONDS = 0.5


class Transfer:
    """Made when `upload.open` or `upload.resume` arrives; gone when the ref ends or the socket is lost."""

    def __init__(self, session: "Session", ref: int, take: Callable[[str], Held]) -> None:
        self._session = session
        self.ref = ref
        self._take = take
        self._chunks: list[memoryview] = []
        self._wake = asyncio.Event()
        self._finish: Finish | None = None
        self._end: Callable[[Upload], None] | None = None
        self._leaving = False
        self.upload: Upload | None = None
        self.task = asyncio.create_task(self._run())

    def chunk(self, payload: memoryview) -> None:
        """Store this next."""
        self._chunks.append(payload)
        self._wake.set()

    def finish(self, request: Finish) -> None:
        """Seal once all that came before is stored."""
        self._finish = request
        self._wake.set()

    def leave(self, end: Callable[[Upload], None] | None = None) -> None:
        """Let go: store what has come, then detach; or throw it away and `end` the upload (services.abort, ...)."""
        self._leaving = True
        self._end = end
        if end is not None:
            self._drop_chunks()
        self._wake.set()

    async def _run(self) -> None:
        """Every way out leaves the socket's protocol in step, and the writer closed."""
        session, ref = self._session, self.ref
        try:
            held = await in_db(self._take, await session.mailbox.name())
            self.upload = held.upload
            await session.opened(ref, held)
            if held.writer is None:
                await self._watch_sealing(held.upload)
            else:
                await self._receive(held.upload, held.writer)
        except StaleEpoch:
            session.protocol.failed(ref, TakenOver())
        except StoreFull:
            session.protocol.failed(ref, StorageFull(retry_after_seconds=FULL_RETRY_SECONDS))
        except HeadraceError as error:
            session.protocol.failed(ref, error)
        except Exception:
            logger.exception("upload %s", self.upload and self.upload.pk)
            session.protocol.failed(ref, Internal())
        finally:
            self._drop_chunks()
            session.gone(ref)
            await session.flush()

    async def _receive(self, upload: Upload, writer: Writer) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._chunks:
                    await self._store(writer)
                if self._leaving:
                    return await self._let_go(upload)
                if self._finish is not None:
                    return await self._seal(upload, writer, self._finish)
        finally:
            await in_files(writer.close)

    async def _store(self, writer: Writer) -> None:
        batch, self._chunks = self._chunks, []
        try:
            offset = await in_files(writer.append, batch)
        finally:
            self._session.stored_bytes(sum(len(chunk) for chunk in batch))
        self._session.protocol.committed(self.ref, offset, self._session.now())
        await self._session.flush()

    async def _let_go(self, upload: Upload) -> None:
        if self._end is None:
            return
        await in_db(self._end, upload)
        if self._end is services.abort:
            self._session.protocol.aborted(self.ref)

    async def _seal(self, upload: Upload, writer: Writer, finish: Finish) -> None:
        channel = await self._session.mailbox.name()
        upload, job = await in_sealing(sealing.complete, upload, writer, finish.sha256 or "", channel)
        await self._stored(upload, job)

    async def _stored(self, upload: Upload, job: Job | None) -> None:
        job_id = job.pk if job else None
        self._session.protocol.stored(self.ref, upload.pk, upload.size or 0, upload.sha256, job_id)
        await self._session.flush()
        if job is not None:
            await self._session.follower.follow(job, with_state=False)

    async def _watch_sealing(self, upload: Upload) -> None:
        """Another writer finished it: wait for its end, and do the sealing where that writer died."""
        while upload.state == Upload.State.SEALING and not self._leaving:
            if not await in_sealing(sealing.again, upload):
                await asyncio.sleep(SEALING_POLL_SECONDS)
            await in_db(upload.refresh_from_db)
        if upload.state == Upload.State.COMPLETE:
            await self._stored(upload, await in_db(sealing.job_of, upload))
        elif not self._leaving:
            raise services.error_of(upload)

    def _drop_chunks(self) -> None:
        self._session.stored_bytes(sum(len(chunk) for chunk in self._chunks))
        self._chunks.clear()
