"""UploadProtocol under random legal and illegal input, against a simple model of sections 2 to 4 of docs/protocol.md.

The client keeps to nothing, and the consumer answers in any order. What must hold after every step is in the
invariants; what may be said to a client is in the model.
"""

from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from tests.unit.uploads.model import DROPPED_LIMIT, SOME_LIMITS, Model, Ref
from tests.unit.uploads.peer import EXPIRES
from uploads.errors import BadOffset, Busy, Conflict, HeadraceError, Internal, RateLimited, SizeMismatch, TakenOver
from uploads.protocol import LOOK_SECONDS
from uploads.requests import Abort, Ended, Finish, Open, Resume

lengths = st.integers(1, SOME_LIMITS.chunk_bytes)
sizes = st.none() | st.integers(0, 700) | st.just(SOME_LIMITS.upload_bytes + 1)
picks = st.integers(0, 3)


class Machine(Model):
    """Rules act; each says what must come of it. A Close ends the part of the client, but the rules go on."""

    @initialize(first=sizes, others=st.lists(st.tuples(sizes, st.booleans()), max_size=3))
    def begins(self, first: int | None, others: list[tuple[int | None, bool]]) -> None:
        """Most of what can go wrong needs an open upload."""
        for size, crc in [(first, True), *others]:
            self.opens(size, crc, 0, False)
            if self.next_ref - 1 in self.refs:
                self.opened(-1, 0, size, False)

    # -- the client: messages

    @rule(size=sizes, crc=st.booleans(), skip=st.sampled_from([0, 0, 0, 2]), resume=st.booleans())
    def opens(self, size: int | None, crc: bool, skip: int, resume: bool) -> None:
        number = self.next_ref + skip
        checksum = "crc32" if crc else None
        if resume:
            got = self.peer.say("upload.resume", ref=number, upload=str(uuid4()), checksum=checksum)
        else:
            got = self.peer.say("upload.open", ref=number, name="a", size=size, checksum=checksum)
        if self.close:
            self.expect(got)
        elif len(self.refs) == SOME_LIMITS.open_uploads:
            self._only("rate_limited", number, ended=False)
            assert got == []
        elif not resume and size is not None and size > SOME_LIMITS.upload_bytes:
            self.next_ref = number + 1
            self.refs[number] = Ref(None, crc)
            self._only("too_large", number, ended=True)
            assert got == []
        else:
            assert isinstance(got[0], Resume if resume else Open)
            self.next_ref = number + 1
            self.refs[number] = Ref(None if resume else size, crc)
            self._silence()

    @precondition(lambda self: self.next_ref > 0)
    @rule(back=st.integers(1, 5))
    def uses_a_ref_again(self, back: int) -> None:
        number = max(0, self.next_ref - back)
        assert self.peer.say("upload.open", ref=number, name="a", size=1) == []
        self._only("bad_message", number, ended=False)

    @rule(pick=picks, off=st.sampled_from([0, 0, 0, -1, 1]), name_size=st.booleans())
    def finishes(self, pick: int, off: int, name_size: bool) -> None:
        number = self._pick(pick, "receiving", "sealing", "aborting")
        if number is None:
            return
        ref = self.refs[number]
        size = max(0, ref.received + off) if name_size else None
        got = self.peer.say("upload.finish", ref=number, size=size)
        meant = ref.size if size is None else size
        if ref.state != "receiving" or self.close:
            self.expect(got)
            self._silence()
        elif meant is None:
            self._only("bad_message", number, field="size")
        elif meant != ref.received or ref.size not in (None, meant):
            self._only("size_mismatch", number, expected=ref.received, ended=False)
        else:
            self.expect(got, Finish(number, meant, None))
            ref.state = "sealing"
            self._silence()

    @rule(pick=picks)
    def aborts(self, pick: int) -> None:
        number = self._pick(pick, "receiving", "sealing", "aborting")
        if number is None:
            return
        ref = self.refs[number]
        got = self.peer.say("upload.abort", ref=number)
        if ref.state == "sealing":
            self._only("bad_message", number, ended=False)
        elif ref.state == "aborting" or self.close:
            self.expect(got)
            self._silence()
        else:
            self.expect(got, Abort(number))
            ref.state = "aborting"
            ref.waits_since = None
            self._silence()

    @rule(pick=picks, kind=st.sampled_from(["upload.finish", "upload.abort"]))
    def is_too_early(self, pick: int, kind: str) -> None:
        number = self._pick(pick, "opening")
        if number is not None:
            assert self.peer.say(kind, ref=number) == []
            self._only("bad_message", number, ended=False)

    @rule(text=st.sampled_from(["", "{", "[1]", '{"type":"upload.fly","ref":1}', '{"type":"upload.abort"}', "[" * 99]))
    def says_nonsense(self, text: str) -> None:
        assert self.peer.text(text) == []
        messages = self.peer.take()
        assert [message["code"] for message in messages] == ([] if self.close else ["bad_message"])

    # -- the client: frames

    @rule(pick=picks, length=lengths, times=st.integers(1, 6))
    def sends_the_next_bytes(self, pick: int, length: int, times: int) -> None:
        """As a good client does: within the window and the size."""
        number = self._pick(pick, "receiving")
        for _ in range(times):
            if number is None or number not in self.refs:
                return
            ref = self.refs[number]
            room = min(ref.edge, ref.limit) - ref.received
            if room > 0:
                self._frame(number, ref.received, min(length, room))

    @rule(pick=picks, past=st.sampled_from([0, 0, 1]))
    def goes_to_the_edge(self, pick: int, past: int) -> None:
        """To the last byte that is allowed, and sometimes one further."""
        number = self._pick(pick, "receiving")
        if number is None:
            return
        ref = self.refs[number]
        while not self.close and ref.received < min(ref.edge, ref.limit):
            self._frame(number, ref.received, min(100, min(ref.edge, ref.limit) - ref.received))
        if past:
            self._frame(number, ref.received, past)

    @rule(pick=picks, length=st.integers(30, 100), lag=st.integers(0, 200))
    def streams(self, pick: int, length: int, lag: int) -> None:
        """A good client and a store that keeps up, more or less."""
        for _ in range(10):
            self.sends_the_next_bytes(pick, length, 1)
            number = self._pick(pick, "receiving")
            if number is not None and self.refs[number].received - self.refs[number].committed > lag:
                self.commits(pick, 1.0)

    @rule(
        pick=picks,
        length=lengths,
        off=st.sampled_from([-200, -50, -1, 0, 1, 50, 100, 390, 10_000]),
        damage=st.booleans(),
        times=st.integers(1, 12),
    )
    def sends_any_bytes(self, pick: int, length: int, off: int, damage: bool, times: int) -> None:
        number = self._pick(pick, "receiving", "sealing", "aborting")
        for _ in range(times):
            if number is None or number not in self.refs:
                return
            self._frame(number, max(0, self.refs[number].received + off), length, damage=damage)

    @precondition(lambda self: self.ended)
    @rule(length=lengths, times=st.integers(1, 8))
    def sends_to_what_has_ended(self, length: int, times: int) -> None:
        for _ in range(times):
            assert self.peer.send(max(self.ended), 0, length) == []
            self._silence()
            if not self.close:
                self.stray += length + 12
                if self.stray > DROPPED_LIMIT:
                    self._shut(4429)

    @rule(how=st.sampled_from(["short", "unknown", "early"]))
    def sends_what_has_no_place(self, how: str) -> None:
        opening = self._pick(0, "opening")
        if how == "short":
            assert self.peer.raw(b"abc") == []
            self._strayed(None, 3)
        elif how == "unknown" or opening is not None:
            number = self.next_ref + 7 if opening is None or how == "unknown" else opening
            assert self.peer.send(number, 0, 5) == []
            self._strayed(number, 17)

    @rule(chance=st.integers(0, 30), how=st.sampled_from(["empty", "big"]))
    def breaks_the_frame(self, chance: int, how: str) -> None:
        """Seldom, because each ends the session."""
        receiving = self._pick(0, "receiving")
        if chance or receiving is None:
            return
        ref = self.refs[receiving]
        self.peer.send(receiving, ref.received, b"" if how == "empty" else 101, crc=ref.crc)
        self._shut(4400 if how == "empty" else 1009)

    # -- the consumer

    @rule(pick=picks, offset=st.integers(0, 300), size=sizes, sealed=st.sampled_from([False, False, False, True]))
    def opened(self, pick: int, offset: int, size: int | None, sealed: bool) -> None:
        number = self._pick(pick, "opening")
        if number is None:
            return
        ref = self.refs[number]
        if ref.size is None and size is not None and size <= SOME_LIMITS.upload_bytes:
            ref.size = size
        ref.limit = SOME_LIMITS.upload_bytes if ref.size is None else ref.size
        sealed = sealed and ref.size is not None
        offset = ref.limit if sealed else min(offset, ref.limit)
        ref.received = ref.committed = ref.edge = offset
        ref.state = "sealing" if sealed else "receiving"
        assert self.peer.protocol.opened(number, uuid4(), None, offset, ref.size, EXPIRES, sealed=sealed) == []
        self._only("upload.opened", number, offset=offset, checksum="crc32" if ref.crc else None)

    @rule(pick=picks, part=st.floats(0, 1))
    def commits(self, pick: int, part: float) -> None:
        number = self._pick(pick, "receiving", "sealing", "aborting")
        if number is None:
            return
        ref = self.refs[number]
        offset = ref.committed + round((ref.received - ref.committed) * part)
        if offset > ref.committed and ref.state != "aborting" and ref.waits_since is None:
            ref.waits_since = self.peer.now
        ref.committed = offset
        self.peer.commit(number, offset)
        assert len(self._hear()) <= 1

    @rule(pick=picks, state=st.sampled_from(["stored", "aborted", "detached"]))
    def ends(self, pick: int, state: str) -> None:
        number = self._pick(pick, {"stored": "sealing", "aborted": "aborting", "detached": "receiving"}[state])
        if number is None:
            return
        if state == "stored":
            self.peer.protocol.stored(number, uuid4(), self.refs[number].received, "ab" * 32, None)
        elif state == "aborted":
            self.peer.protocol.aborted(number)
        else:
            self.peer.protocol.detached(number, "draining", 1)
        self._only(f"upload.{state}", number)

    @rule(pick=picks, kind=st.sampled_from([RateLimited] * 4 + [Conflict, Internal, TakenOver, Busy]))
    def fails(self, pick: int, kind: type[HeadraceError]) -> None:
        number = self._pick(pick, "opening", "receiving", "sealing", "aborting")
        if number is None:
            return
        ref = self.refs[number]
        self.peer.protocol.failed(number, kind())
        if kind in (TakenOver, Busy) and ref.state != "opening":
            self._only("upload.detached", number, reason=kind.code)
        else:
            self._only(kind.code, number, ended=kind.ends or ref.state == "opening")
            ref.state = "receiving" if ref.state == "sealing" else ref.state

    @rule(pick=picks, part=st.floats(0, 1), kind=st.sampled_from([BadOffset, SizeMismatch]))
    def goes_back(self, pick: int, part: float, kind: type[HeadraceError]) -> None:
        number = self._pick(pick, "receiving", "sealing")
        if number is None:
            return
        ref = self.refs[number]
        expected = ref.committed + round((ref.received - ref.committed) * part)
        self.peer.protocol.failed(number, kind(expected=expected))
        self._only(kind.code, number, expected=expected, ended=False)
        ref.dropping = ref.dropping or expected < ref.received
        ref.received = expected
        ref.state = "receiving"

    @rule(pick=picks, window=st.none() | st.integers(0, 500))
    def slows(self, pick: int, window: int | None) -> None:
        number = self._pick(pick, "receiving", "sealing")
        if number is not None:
            self.peer.protocol.set_window(number, window)
            assert len(self._hear()) <= 1

    @rule(seconds=st.sampled_from([0.01, 0.05, 0.2, 1, 30, 61]))
    def time_passes(self, seconds: float) -> None:
        self.peer.now += seconds
        before = dict(self.refs)
        got = self.peer.protocol.tick(self.peer.now)
        self._hear()
        gone = [number for number in before if number not in self.refs]
        assert got == [Ended(number, "busy") for number in gone]
        for number in gone:
            assert before[number].state == "receiving"
        for ref in self.refs.values():
            assert self.close or ref.waits_since is None or self.peer.now < ref.waits_since + 0.1 + 1e-6, (
                "an ack is late"
            )

    # -- what always holds

    @invariant()
    def a_close_is_what_it_was(self) -> None:
        assert self.peer.closed == self.close

    @invariant()
    def the_same_refs_are_open(self) -> None:
        if not self.close:
            assert self.peer.protocol.open_refs == set(self.refs)

    @invariant()
    def offsets_are_in_order(self) -> None:
        for ref in self.refs.values():
            assert 0 <= ref.committed <= ref.received
            assert ref.state == "opening" or ref.received <= ref.limit
            assert ref.state != "receiving" or ref.received <= ref.edge

    @invariant()
    def what_is_in_flight_is_bounded(self) -> None:
        total = sum(ref.in_flight for ref in self.refs.values())
        assert total <= SOME_LIMITS.window_bytes + SOME_LIMITS.open_uploads * SOME_LIMITS.floor

    @invariant()
    def a_tick_is_wanted_in_time(self) -> None:
        deadline = self.peer.protocol.deadline
        if self.close:
            assert deadline is None
        elif self.refs:
            assert deadline is not None
            assert deadline <= self.peer.now + LOOK_SECONDS

    def teardown(self) -> None:
        """Whatever happened, every upload that is open can be brought to its end."""
        if self.close:
            return
        for number in list(self.refs):
            self._bring_home(number)
            if self.close:
                return

    def _bring_home(self, number: int) -> None:
        ref = self.refs[number]
        if ref.state == "opening":
            self.opened_now(number)
        if ref.state == "aborting":
            self.peer.protocol.aborted(number)
            self._only("upload.aborted", number)
            return
        self.peer.protocol.set_window(number, None)
        self._hear()
        steps = 0
        while True:
            ref.committed = ref.received
            self.peer.commit(number, ref.received)
            self.peer.now += 0.2
            self.peer.protocol.tick(self.peer.now)
            self._hear()
            if ref.size is None or not ref.may_send:
                break
            self._frame(number, ref.received, min(100, min(ref.edge, ref.limit) - ref.received))
            steps += 1
            assert steps < 200, "no progress"
        if ref.state == "receiving":
            assert self.peer.say("upload.finish", ref=number, size=ref.received) == [Finish(number, ref.received, None)]
        self.peer.protocol.stored(number, uuid4(), ref.received, "ab" * 32, None)
        assert self._hear()[-1]["type"] == "upload.stored"

    def opened_now(self, number: int) -> None:
        ref = self.refs[number]
        ref.limit = SOME_LIMITS.upload_bytes if ref.size is None else ref.size
        ref.state = "receiving"
        self.peer.protocol.opened(number, uuid4(), None, 0, ref.size, EXPIRES)
        self._hear()


@pytest.mark.timeout(300)  # a failure is made small first, which takes its time
def test_random_clients_and_consumers() -> None:
    run_state_machine_as_test(Machine, settings=settings(max_examples=100, stateful_step_count=50, deadline=None))
