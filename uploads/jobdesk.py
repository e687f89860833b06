"""What one socket asks about jobs and stored files: subscribe, cancel, retry, create, delete."""

import logging
from collections.abc import Awaitable, Callable

from processing import services as jobs
from processing.access import Principal
from processing.models import Job
from processing.threads import in_db
from uploads import requests, services
from uploads.errors import HeadraceError, Internal
from uploads.follower import Follower, state
from uploads.mailbox import Mailbox
from uploads.protocol import UploadProtocol

logger = logging.getLogger(__name__)


class JobDesk:
    """Carries out one request at a time and answers through the protocol; `flush` sends the answer."""

    def __init__(
        self,
        protocol: UploadProtocol,
        mailbox: Mailbox,
        follower: Follower,
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        self._protocol = protocol
        self._mailbox = mailbox
        self._follower = follower
        self._flush = flush

    async def serve(self, principal: Principal, request: requests.Request) -> None:
        """Every error becomes a message that names the job."""
        job_id = getattr(request, "job", None)
        try:
            await self._serve(principal, request)
        except HeadraceError as error:
            self._protocol.failed(None, error, job=job_id)
        except Exception:
            logger.exception("%s", type(request).__name__)
            self._protocol.failed(None, Internal(), job=job_id)
        await self._flush()

    async def _serve(self, principal: Principal, request: requests.Request) -> None:
        match request:
            case requests.Subscribe(job=job_id, token=token):
                job = await in_db(jobs.find, principal, job_id, token)
                await self._follower.follow(job, with_state=True)
            case requests.Unsubscribe(job=job_id):
                await self._follower.forget(job_id)
            case requests.CancelJob(job=job_id, token=token):
                await in_db(jobs.request_cancel, await in_db(jobs.find, principal, job_id, token))
            case requests.RetryJob(job=job_id, token=token):
                old = await in_db(jobs.find, principal, job_id, token)
                await self._show(await in_db(jobs.retry, old, reply_channel=await self._mailbox.name()))
            case requests.CreateJob(upload=upload_id, processor=processor, params=params, token=token):
                upload = await in_db(services.find, principal, upload_id, token)
                channel = await self._mailbox.name()
                await self._show(await in_db(services.create_job, upload, processor, params, channel))
            case requests.DeleteUpload(upload=upload_id, token=token):
                await in_db(services.delete, await in_db(services.find, principal, upload_id, token))
                self._protocol.deleted(upload_id)

    async def _show(self, job: Job) -> None:
        self._protocol.job_state(await in_db(state, job.pk))
