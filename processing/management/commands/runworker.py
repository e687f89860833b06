"""Run jobs: `manage.py runworker`, as many as you like, on as many machines as share the database and the storages."""

import asyncio
import signal
import sys
from typing import Any

from channels.management.commands import runworker
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.color import no_style

from processing import checks, doorbell
from processing.ear import NAME
from processing.runner import ChildBrokenError
from processing.worker import Worker


class Command(runworker.Command):  # type: ignore[misc]
    """Channels' runworker, with jobs: it claims rows, and its channel only wakes it."""

    help = (
        "Run jobs in child processes until SIGTERM or Ctrl-C. Then it takes no more, lets those that run finish for "
        "--drain-seconds, gives the rest back to other workers, and ends with 0. A second signal stops it at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Channels wants the names of channels; here they may be left out."""
        super().add_arguments(parser)
        for action in parser._actions:
            if action.dest == "channels":
                action.nargs, action.default, action.required = "*", [], False
                action.help = f"further channels of the ChannelNameRouter to serve, beside {NAME}"
        number, seconds = settings.HEADRACE.concurrency, settings.HEADRACE.drain_seconds
        parser.add_argument("--concurrency", type=_positive, default=number, help=f"jobs at once ({number})")
        parser.add_argument("--queues", default="", help="queues to serve, comma-separated (those of all processors)")
        parser.add_argument(
            "--drain-seconds", type=float, default=seconds, help=f"how long running jobs may take to end ({seconds:g})"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Returns when the worker has drained. Raises CommandError where it cannot begin."""
        for message in checks.separate_worker():
            self.stderr.write(str(message), no_style().WARNING)
        queues = [queue.strip() for queue in options["queues"].split(",") if queue.strip()]
        asyncio.run(self._run(options["concurrency"], queues, options["drain_seconds"], options["channels"]))

    async def _run(self, concurrency: int, queues: list[str], drain_seconds: float, channels: list[str]) -> None:
        loop = asyncio.get_running_loop()
        doorbell.use_loop(loop)
        worker = Worker(concurrency=concurrency, queues=queues, channels=channels)
        starting = loop.create_task(worker.start())
        stopping: list[asyncio.Task[None]] = []
        asked = asyncio.Event()

        def stop() -> None:
            starting.cancel()
            stopping.append(loop.create_task(worker.drain(0 if stopping else drain_seconds)))
            asked.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        try:
            await starting
            sys.stderr.write("worker ready\n")
            sys.stderr.flush()
        except ChildBrokenError as error:
            raise CommandError(str(error)) from error
        except asyncio.CancelledError:
            if not stopping:
                raise
        await asked.wait()
        await asyncio.gather(*stopping)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
