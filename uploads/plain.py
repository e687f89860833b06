"""The plain dialect, for a client that knows no protocol (docs/protocol.md, section 7), on the same services.

    C <binary>               S "File chunk received"            after the chunk is stored
    C <binary file_complete> S "File transfer complete" at once, "Ready for next task" once it is sealed,
                               then "Processed data: <result>" or "Processing failed: <message>"

While a file is sealed and processed the socket is not read: what the client sends waits in the network.
"""

import asyncio
import json
import logging
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.consumer import AsyncConsumer
from django.conf import settings
from django.core.files.storage import storages

from processing import access, doorbell
from processing.access import Principal
from processing.lifecycle import FINAL, JobState
from processing.models import Job
from processing.threads import in_db, in_files, in_sealing
from uploads import sealing, services
from uploads.errors import HeadraceError, Internal, StorageFull, TooLarge
from uploads.mailbox import Mailbox
from uploads.services import Held, Wanted
from uploads.store.base import StoreFull

logger = logging.getLogger(__name__)

FILE_COMPLETE = b"file_complete"
NAME = "upload"
"""This dialect names no file."""


class PlainConsumer(AsyncConsumer):  # type: ignore[misc]
    """One socket; one file after another."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.base_send = send
        self._ended = asyncio.Event()
        self._held: Held | None = None
        self._job_id: UUID | None = None
        self._mailbox = Mailbox(self._letter)
        await receive()
        await send({"type": "websocket.accept"})
        try:
            self._mailbox.start()
            await self._converse(scope, receive)
        except HeadraceError as error:
            await self._refuse(error)
        except Exception:
            logger.exception("plain dialect")
            await self._refuse(Internal())
        finally:
            await self._give_up()
            await self._mailbox.close()

    async def _converse(self, scope: dict[str, Any], receive: Any) -> None:
        principal = await in_db(access.of_scope, scope)
        named = parse_qs(scope["query_string"].decode("latin-1")).get("processor")
        while (message := await receive())["type"] == "websocket.receive":
            data = message.get("bytes")
            if data is None:
                await self._say("This socket takes binary messages: the file's bytes, then file_complete.")
                continue
            if self._held is None:
                wanted = Wanted(NAME, processor=named[0] if named else None)
                self._held = await self._open(principal, wanted)
            if data == FILE_COMPLETE:
                await self._complete(self._held)
            else:
                await self._store(self._held, data)

    async def _open(self, principal: Principal, wanted: Wanted) -> Held:
        return await in_db(services.open_upload, principal, wanted, await self._mailbox.name())

    async def _store(self, held: Held, data: bytes) -> None:
        if held.writer is None or not data:
            return
        if held.writer.offset + len(data) > settings.HEADRACE.upload_bytes:
            raise TooLarge
        try:
            await in_files(held.writer.append, [data])
        except StoreFull:
            raise StorageFull from None
        await self._say("File chunk received")

    async def _complete(self, held: Held) -> None:
        await self._say("File transfer complete")
        if held.writer is None:
            return
        channel = await self._mailbox.name()
        _, job = await in_sealing(sealing.complete, held.upload, held.writer, "", channel)
        self._held = None
        await in_files(held.writer.close)
        await self._say("Ready for next task")
        if job is not None:
            await self._say(await self._outcome(job))

    async def _outcome(self, job: Job) -> str:
        """Wait for the job's end: news of it shortens the wait, the row decides."""
        self._job_id = job.pk
        if not job.reply_channel:
            await self._mailbox.join(doorbell.job_group(job.pk))
        while job.state not in FINAL:
            self._ended.clear()
            try:
                async with asyncio.timeout(settings.HEADRACE.poll_seconds):
                    await self._ended.wait()
            except TimeoutError:
                pass
            await in_db(job.refresh_from_db)
        if job.state == JobState.SUCCEEDED:
            return "Processed data: " + await in_db(result_text, job)
        return "Processing failed: " + (job.error_message or "It was cancelled.")

    async def _letter(self, message: dict[str, Any]) -> None:
        event = message.get("event", {})
        if event.get("job") == str(self._job_id) and event.get("event") in FINAL:
            self._ended.set()

    async def _say(self, text: str) -> None:
        await self.base_send({"type": "websocket.send", "text": text})

    async def _refuse(self, error: HeadraceError) -> None:
        """This dialect has no error message of its own but this one; the socket ends with it."""
        await self._say("Processing failed: " + error.message)
        await self.base_send({"type": "websocket.close", "code": error.close_code or 1000})

    async def _give_up(self) -> None:
        """An upload in this dialect cannot be resumed, so nothing of an unfinished one stays."""
        if self._held is not None:
            held, self._held = self._held, None
            await in_db(services.end, held.upload, services.State.ABORTED)
            if held.writer is not None:
                await in_files(held.writer.close)


def result_text(job: Job) -> str:
    """The whole result, of any size: text as it is, anything else as JSON."""
    artifact = job.result_artifact
    if artifact is None:
        return job.result if isinstance(job.result, str) else json.dumps(job.result, ensure_ascii=False)
    with storages["artifacts"].open(artifact.storage_name) as file:
        text = file.read().decode()
    value = json.loads(text)
    return value if isinstance(value, str) else text
