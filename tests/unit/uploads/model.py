"""A simple model of one socket, by sections 2 to 4 of docs/protocol.md, for test_protocol_machine.py.

It knows what a client knows, from what the client is sent, and what a consumer has answered. It says what must become
of a frame, and fails where that is not what happens.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from tests.unit.uploads.peer import LIMITS, Peer
from uploads.requests import Chunk, Ended, Request

SOME_LIMITS = replace(LIMITS, window_bytes=400, upload_bytes=3000)
DROPPED_LIMIT = 4 * SOME_LIMITS.window_bytes


@dataclass
class Ref:
    """What the model knows of a ref. `state` is opening, receiving, sealing or aborting."""

    size: int | None
    crc: bool
    state: str = "opening"
    limit: int = 0
    received: int = 0
    committed: int = 0
    edge: int = 0
    dropping: bool = False
    dropped: int = 0
    waits_since: float | None = None

    @property
    def may_send(self) -> bool:
        return self.state == "receiving" and self.received < self.limit

    @property
    def in_flight(self) -> int:
        return (min(self.edge, self.limit) if self.may_send else self.received) - self.committed


class Model(RuleBasedStateMachine):
    """Once there is a Close, nothing more may come of anything, whatever goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.peer = Peer(SOME_LIMITS)
        self.peer.protocol.welcome(None, [], 1e9)
        self.peer.take()
        self.refs: dict[int, Ref] = {}
        self.ended: set[int] = set()
        self.next_ref = 0
        self.stray = 0
        self.told: tuple[int | None] | None = None
        self.close: int | None = None

    # -- reading what comes out

    def expect(self, got: list[Request], *wanted: Request) -> None:
        assert got == ([] if self.close else list(wanted))

    def _hear(self) -> list[dict[str, Any]]:
        """Take what is sent. Ack and opened move edges; nothing is said of a ref that is not open."""
        messages = self.peer.take()
        json.dumps(messages)
        for message in messages:
            number: int = message.get("ref", -1)
            if message["type"] in ("upload.opened", "upload.ack"):
                ref = self.refs[number]
                edge = message["offset"] + message["window"]
                assert message["offset"] == ref.committed
                assert edge >= ref.edge, "an edge goes back"
                ref.edge = edge
                ref.waits_since = None
            elif message.get("ended") or message["type"] in ("upload.detached", "upload.stored", "upload.aborted"):
                assert number in self.refs
                assert message == messages[-1] or messages[-1].get("ref") != number
                self._end(number)
        return messages

    def _end(self, number: int) -> None:
        del self.refs[number]
        self.ended.add(number)

    def _only(self, kind: str, number: int | None = None, **fields: Any) -> None:
        """One message, of this type or error code; nothing after a close."""
        messages = self._hear()
        if self.close:
            assert messages == []
            return
        assert len(messages) == 1, messages
        message = messages[0]
        assert message.get("code", message["type"]) == kind
        assert message.get("ref") == number
        assert fields.items() <= message.items()

    def _silence(self) -> None:
        assert self._hear() == []

    def _shut(self, code: int) -> None:
        self.close = self.close or code
        self._silence()

    def _pick(self, pick: int, *states: str) -> int | None:
        numbers = [number for number, ref in self.refs.items() if ref.state in states]
        return numbers[pick % len(numbers)] if numbers else None

    def _frame(self, number: int, offset: int, length: int, *, damage: bool = False) -> None:
        """Say what must become of a frame, by the text of section 3, and see that it does."""
        ref = self.refs[number]
        payload = bytes([self.next_ref % 256]) * length
        got = self.peer.send(number, offset, payload, crc=ref.crc, damage=damage)
        size = length + (16 if ref.crc else 12)
        if self.close:
            self.expect(got)
        elif ref.state != "receiving" or (offset < ref.received and ref.dropping):
            self._dropped(ref, size)
        elif offset < ref.received:
            assert got == []
            self._dropped(ref, size, "upload.ack", number)
        elif offset + length > ref.limit:
            self.expect(got, Ended(number, "too_large"))
            self._only("too_large", number, ended=True, limit=ref.limit)
        elif offset + length > ref.edge:
            self._shut(4429)
        elif offset > ref.received and ref.dropping:
            self._dropped(ref, size)
        elif offset > ref.received or (ref.crc and damage):
            ref.dropping = True
            code = "bad_offset" if offset > ref.received else "checksum"
            self._dropped(ref, size, code, number, expected=ref.received, ended=False)
        else:
            self.expect(got, Chunk(number, offset, memoryview(payload)))
            ref.received += length
            ref.dropping = False
            ref.dropped = self.stray = 0
            self.told = None
            self._silence()

    def _strayed(self, number: int | None, size: int) -> None:
        """A frame that has no place was sent: told once in a row, and counted as a chunk at least."""
        if self.told == (number,) or self.close:
            self._silence()
        else:
            self._only("bad_message", number, ended=False)
        self.told = (number,)
        self.stray += max(size, SOME_LIMITS.chunk_bytes)
        if self.stray > DROPPED_LIMIT:
            self._shut(4429)

    def _dropped(self, ref: Ref, size: int, kind: str | None = None, number: int | None = None, **fields: Any) -> None:
        ref.dropped += size
        if kind is None:
            self._silence()
        else:
            self._only(kind, number, **fields)
        if ref.dropped > DROPPED_LIMIT:
            self._shut(4429)
