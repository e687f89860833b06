"""The child's end of its line to the worker: JSON lines over a socket, descriptors beside them. Needs no Django.

A thread listens, so that a cancel, or the end of the worker, is noticed while a processor computes. Progress is held
back so that at most ten a second go out; the newest always does.
"""

import contextlib
import json
import os
import queue
import select
import socket
import threading
import time
from typing import Any

PROGRESS_SECONDS = 0.1
_READ_BYTES = 1 << 16
_DESCRIPTORS = 4
_AT_ONCE = 4096
"""A line this short is taken by the socket whole or not at all."""

Message = dict[str, Any]


class Control:
    """`next_order()` waits for work; `send()` reports; `cancelled` is set while the running job should stop."""

    def __init__(self, descriptor: int) -> None:
        self.cancelled = threading.Event()
        self._socket = socket.socket(fileno=descriptor)
        self._orders: queue.SimpleQueue[tuple[Message, list[int]]] = queue.SimpleQueue()
        self._sending = threading.Lock()
        self._held: Message | None = None
        self._progress_at = 0.0
        self._bell, self._ring = os.pipe()
        os.set_blocking(self._ring, False)
        threading.Thread(target=self._listen_for_life, name="headrace-control", daemon=True).start()

    def next_order(self) -> tuple[Message, list[int]]:
        """Wait for what the worker wants next, and the descriptors that came with it."""
        return self._orders.get()

    def send(self, message: Message) -> None:
        """Report; waits while the worker is not reading, which is how it slows a flood. The values are strict JSON."""
        held = None
        if message["type"] in ("result", "failed", "cancelled"):
            held, self._held = self._held, None
        with self._sending:
            self._socket.sendall((_line(held) if held is not None else b"") + _line(message))

    def progress(self, message: Message) -> None:
        """Report progress now, or, if the last is too new, a little later: then only the newest of them."""
        now = time.monotonic()
        if now - self._progress_at >= PROGRESS_SECONDS:
            self._progress_at = now
            self._held = None
            self.send(message)
            return
        asleep = self._held is None
        self._held = message
        if asleep:
            with contextlib.suppress(BlockingIOError):
                os.write(self._ring, b".")

    def _listen_for_life(self) -> None:
        try:
            while True:
                try:
                    return self._listen()
                except MemoryError:  # the job's own affair: it is told so in the main thread
                    time.sleep(0.05)
        finally:
            os._exit(1)  # the worker is gone, or makes no sense; the guard ends what this process started

    def _listen(self) -> None:
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        poller.register(self._bell, select.POLLIN)
        unread = b""
        descriptors: list[int] = []
        while True:
            ready = dict(poller.poll(None if self._held is None else PROGRESS_SECONDS * 1000))
            if self._bell in ready:
                os.read(self._bell, 64)
            if not ready:
                self._flush()
            if self._socket.fileno() not in ready:
                continue
            data, came, _, _ = socket.recv_fds(self._socket, _READ_BYTES, _DESCRIPTORS)
            if not data:
                return
            descriptors += came
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                descriptors = self._take(json.loads(line), descriptors)

    def _take(self, message: Message, descriptors: list[int]) -> list[int]:
        if message["type"] == "cancel":
            self.cancelled.set()
            return descriptors
        self.cancelled.clear()
        self._orders.put((message, descriptors))
        return []

    def _flush(self) -> None:
        """Send progress that was held back, unless the line is busy: this thread must never wait."""
        message = self._held
        if message is None or not self._sending.acquire(blocking=False):
            return
        try:
            if self._held is message:
                self._held = None
                self._progress_at = time.monotonic()
                with contextlib.suppress(BlockingIOError):
                    self._socket.send(_line(message)[:_AT_ONCE], socket.MSG_DONTWAIT)
        finally:
            self._sending.release()


def _line(message: Message) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"
