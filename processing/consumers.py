"""The worker's end of the channel layer. It only rings: it runs no job, asks no database, and never raises."""

import logging
import uuid
from typing import Any

from channels.consumer import AsyncConsumer

logger = logging.getLogger(__name__)


class WorkerConsumer(AsyncConsumer):  # type: ignore[misc]
    """Turns `job.available` and `job.cancel` into calls of the Worker in `scope["worker"]`.

    Both are hints about rows. A raising handler would end the listener and lose what waits behind it, so what makes no
    sense is logged and dropped.
    """

    channel_layer_alias = "none: the worker listens on its own channel and hands the messages in"

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Channels' own dispatch takes a thread hop per message, to close old database connections; here are none."""
        kind, worker = message.get("type"), self.scope.get("worker")
        if worker is None:
            logger.warning("a message of the type %.100r reached a process without a worker", kind)
        elif kind == "job.available":
            worker.wake()
        elif kind == "job.cancel":
            self._cancel(worker, message.get("job"))
        else:
            logger.warning("the worker was sent a message of the unknown type %.100r", kind)

    def _cancel(self, worker: Any, job: object) -> None:
        """The worker looks at the row: it says whether this is so."""
        try:
            job_id = uuid.UUID(str(job))
        except ValueError:
            logger.warning("the worker was asked to cancel the unknown job %.100r", job)
        else:
            worker.cancel(job_id)
