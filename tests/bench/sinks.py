"""What Headrace is compared with, on Headrace's own server: `python -m tests.bench.sinks PORT REDIS_URL`.

/sink: a stock Channels consumer that counts bytes and answers each chunk: stores nothing, hashes nothing.
/grown: what Headrace grew from: appends every chunk to one bytes object, puts it into one Redis key at the end.
"""

import os
import sys
from typing import Any

import redis.asyncio as redis
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.urls import re_path

from config.server import Limits, serve

FILE_COMPLETE = b"file_complete"


class Sink(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Drops what it gets."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send("Ready for next task" if bytes_data == FILE_COMPLETE else "File chunk received")


class Grown(AsyncWebsocketConsumer):  # type: ignore[misc]
    """The system this project grew from."""

    async def connect(self) -> None:
        self.file_data = b""
        self.redis = redis.from_url(sys.argv[2])
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if bytes_data == FILE_COMPLETE:
            await self.redis.set("file", self.file_data)
            self.file_data = b""
            await self.send("Ready for next task")
        else:
            self.file_data += bytes_data or b""
            await self.send("File chunk received")


def main() -> None:
    """Serve until SIGTERM."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    paths: Any = [re_path("^sink$", Sink.as_asgi()), re_path("^grown$", Grown.as_asgi())]
    sys.exit(
        serve(
            URLRouter(paths),
            port=int(sys.argv[1]),
            limits=Limits(message_bytes=1 << 20),
            on_ready=lambda server: sys.stderr.write("sinks ready\n"),
        )
    )


if __name__ == "__main__":
    main()
