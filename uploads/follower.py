"""The jobs that one socket follows, from the rows and from news over the channel layer.

News is a hint: where an event is missing before it, the rows are read. They are read at every heartbeat too, so lost
news costs time and nothing else. The order and the doubles are UploadProtocol's affair (docs/protocol.md, section 5).
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from processing import doorbell, events
from processing.models import Job
from processing.threads import in_db
from uploads.mailbox import Mailbox
from uploads.protocol import UploadProtocol

Message = dict[str, Any]


class Follower:
    """Keeps `protocol.subscriptions` fed; `flush` sends what the protocol then has to say."""

    def __init__(self, mailbox: Mailbox, protocol: UploadProtocol, flush: Callable[[], Awaitable[None]]) -> None:
        self._mailbox = mailbox
        self._protocol = protocol
        self._flush = flush
        self._reading: dict[UUID, bool] = {}
        """The jobs whose rows are being read; True where they must be read again after that."""

    async def follow(self, job: Job, *, with_state: bool) -> None:
        """Feed a job that the protocol has just begun to follow. Joins the job's group first, then reads the rows.

        The originating socket is not in the group: the worker replies to its own channel.
        """
        if not job.reply_channel or job.reply_channel != await self._mailbox.name():
            await self._mailbox.join(doorbell.job_group(job.pk))
        if with_state:
            self._protocol.job_state(await in_db(state, job.pk))
        await self._read(job.pk)

    async def forget(self, job_id: UUID) -> None:
        """Feed a job no more."""
        await self._mailbox.leave(doorbell.job_group(job_id))

    async def hear(self, event: Message) -> None:
        """One piece of news from the channel layer."""
        job_id = UUID(event["job"])
        if job_id in self._reading:
            self._reading[job_id] = True
        elif not self._protocol.job_event(event, replay=False):
            await self._read(job_id)
        await self._flush()
        await self._leave_ended(job_id)

    async def catch_up(self) -> None:
        """Read the rows of every followed job that has something new."""
        if known := dict(self._protocol.subscriptions):
            for job_id in await in_db(_behind, known):
                await self._read(job_id)

    async def _read(self, job_id: UUID) -> None:
        if job_id in self._reading:
            self._reading[job_id] = True
            return
        self._reading[job_id] = True
        try:
            while job_id in self._protocol.subscriptions:
                self._reading[job_id] = False
                rows = await in_db(events.replay, job_id, self._protocol.subscriptions.get(job_id, 0))
                for event in rows:
                    self._protocol.job_event(event, replay=True)
                await self._flush()
                if not rows and not self._reading[job_id]:
                    break
        finally:
            del self._reading[job_id]
        await self._leave_ended(job_id)

    async def _leave_ended(self, job_id: UUID) -> None:
        if job_id not in self._protocol.subscriptions:
            await self.forget(job_id)


def state(job_id: UUID) -> Message:
    """The job as `job.state`."""
    return events.state(Job.objects.prefetch_related("artifacts").get(pk=job_id))


def _behind(known: Mapping[UUID, int]) -> list[UUID]:
    newest = Job.objects.filter(pk__in=known).values_list("pk", "seq")
    return [job_id for job_id, seq in newest if seq > known[job_id]]
