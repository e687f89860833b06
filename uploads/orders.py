"""What a client's messages about its uploads do to the open refs of one socket. Source: docs/protocol.md, section 2."""

from uploads.errors import BadMessage, RateLimited, SizeMismatch, TooLarge
from uploads.flow import State, Transfer
from uploads.messages import UploadAbort, UploadFinish, UploadOpen, UploadResume
from uploads.openrefs import OpenRefs
from uploads.requests import Abort, Finish, Open, Request, Resume


class Orders:
    """Each method takes one message and returns the requests it makes.

    Raises BadMessage, RateLimited or SizeMismatch where the message has no effect; its detail names the ref.
    """

    def __init__(self, refs: OpenRefs) -> None:
        self._refs = refs

    def open(self, message: UploadOpen) -> list[Request]:
        """A new upload, or the one of the same key."""
        ref, limits = message.ref, self._refs.limits
        self._check_new(ref)
        for field, value, most in (("name", message.name, limits.name_bytes), ("key", message.key, limits.key_bytes)):
            if value is not None and len(value.encode()) > most:
                raise BadMessage(f"`{field}`: at most {most} bytes as UTF-8", field=field, ref=ref)
        self._refs.used.use(ref)
        if message.size is not None and message.size > limits.upload_bytes:
            self._refs.fail(ref, TooLarge(limit=limits.upload_bytes), ended=True)
            return []
        self._refs.add(ref, checksum=message.checksum is not None)
        return [Open(ref, message)]

    def resume(self, message: UploadResume) -> list[Request]:
        """An upload that was begun before, here or elsewhere."""
        self._check_new(message.ref)
        self._refs.used.use(message.ref)
        self._refs.add(message.ref, checksum=message.checksum is not None)
        return [Resume(message.ref, message.upload, message.token, message.checksum)]

    def finish(self, message: UploadFinish) -> list[Request]:
        """All is sent. Goes to the consumer only when all has been received."""
        transfer = self._find(message.ref)
        if transfer is None or transfer.state in (State.SEALING, State.ABORTING):
            return []
        size = transfer.size if message.size is None else message.size
        if size is None:
            raise BadMessage("`size`: needed here, because `upload.open` said null", field="size", ref=message.ref)
        if size != transfer.received or transfer.size not in (None, size):
            raise SizeMismatch(expected=transfer.received, size=transfer.size, ref=message.ref)
        transfer.state = State.SEALING
        self._refs.windows.settle(transfer)
        return [Finish(transfer.ref, size, message.sha256)]

    def abort(self, message: UploadAbort) -> list[Request]:
        """The client does not want it any more."""
        transfer = self._find(message.ref)
        if transfer is None or transfer.state is State.ABORTING:
            return []
        if transfer.state is State.SEALING:
            raise BadMessage("It is too late to abort: the upload is being sealed.", ref=message.ref)
        transfer.state = State.ABORTING
        self._refs.forget_ack(transfer)
        self._refs.windows.settle(transfer)
        return [Abort(transfer.ref)]

    def _check_new(self, ref: int) -> None:
        if not self._refs.used.is_new(ref):
            raise BadMessage("`ref`: refs grow, and none is used twice on a socket", field="ref", ref=ref)
        most = self._refs.limits.open_uploads
        if len(self._refs.transfers) >= most:
            raise RateLimited("Too many uploads are open on this socket.", limit=most, ref=ref)

    def _find(self, ref: int) -> Transfer | None:
        """The ref, if it was opened; None where it has ended, because then this message crossed its end on the way."""
        transfer = self._refs.transfers.get(ref)
        if transfer is None and not self._refs.used.was_used(ref):
            raise BadMessage("`ref`: never opened on this socket", field="ref", ref=ref)
        if transfer is not None and transfer.state is State.OPENING:
            raise BadMessage("The upload is not open yet: wait for `upload.opened`.", ref=ref)
        return transfer
