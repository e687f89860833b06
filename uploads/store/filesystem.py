"""Uploads as files. The on-disk format first, `<id>` being the upload's UUID in hex:

    ab/<id>.part    the bytes while they arrive; its size is the upload's offset
    ab/<id>.epoch   u64 big-endian, the newest writer's epoch; also the file that is locked (flock)
    ab/<id>         the sealed blob; the two others are gone

`ab` are the id's first two digits. A deleted upload's epoch is LAST while a writer may still hold the file open. No
name that a client sent is ever part of a path.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from uploads.store.base import Missing, StaleEpoch, StoreFull

LAST = 2**64 - 1
READ_BYTES = 1 << 20
CATCH_UP_BYTES = 8 << 20
"""How much of what an earlier writer stored is hashed with each append, so that sealing has little left to do."""
IOV_MAX = 1024
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class FilesystemStore:
    """An UploadStore in one folder, for any number of processes on one host."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def name(self, upload_id: UUID) -> str:
        return f"{upload_id.hex[:2]}/{upload_id.hex}"

    def open(self, upload_id: UUID, epoch: int, *, new: bool = False) -> "FileWriter":
        path = self._path(upload_id)
        flags = os.O_RDWR
        if new:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags |= os.O_CREAT
        try:
            lock = os.open(path.with_suffix(".epoch"), flags, 0o600)
        except FileNotFoundError:
            raise Missing(upload_id) from None
        try:
            with locked(lock):
                if newest(lock) > epoch:
                    raise StaleEpoch(upload_id)
                os.pwrite(lock, epoch.to_bytes(8, "big"), 0)
                data = os.open(path.with_suffix(".part"), flags, 0o600)
        except FileNotFoundError:
            os.close(lock)
            raise Missing(upload_id) from None
        except BaseException:
            os.close(lock)
            raise
        return FileWriter(data, lock, epoch)

    def size(self, upload_id: UUID) -> int:
        return self._stored(upload_id).stat().st_size

    def digest(self, upload_id: UUID) -> str:
        with self._stored(upload_id).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def publish(self, upload_id: UUID) -> str:
        path = self._path(upload_id)
        part = path.with_suffix(".part")
        try:
            sync(part)
            part.rename(path)
        except FileNotFoundError:
            if not path.exists():
                raise Missing(upload_id) from None
        sync(path.parent)
        path.with_suffix(".epoch").unlink(missing_ok=True)
        return self.name(upload_id)

    def delete(self, upload_id: UUID) -> None:
        path = self._path(upload_id)
        with suppress(FileNotFoundError):
            lock = os.open(path.with_suffix(".epoch"), os.O_RDWR)
            try:
                with locked(lock):
                    os.pwrite(lock, LAST.to_bytes(8, "big"), 0)
            finally:
                os.close(lock)
        for file in (path, path.with_suffix(".part"), path.with_suffix(".epoch")):
            file.unlink(missing_ok=True)

    def _path(self, upload_id: UUID) -> Path:
        return self.root / upload_id.hex[:2] / upload_id.hex

    def _stored(self, upload_id: UUID) -> Path:
        path = self._path(upload_id)
        for file in (path, path.with_suffix(".part")):
            if file.exists():
                return file
        raise Missing(upload_id)


class FileWriter:
    """Appends under the lock and hashes as it goes."""

    def __init__(self, data: int, lock: int, epoch: int) -> None:
        self._data = data
        self._lock = lock
        self._epoch = epoch
        self._offset = os.fstat(data).st_size
        self._hash = hashlib.sha256()
        self._hashed = 0

    @property
    def offset(self) -> int:
        return self._offset

    def append(self, chunks: Sequence[memoryview | bytes]) -> int:
        with locked(self._lock):
            if newest(self._lock) != self._epoch:
                raise StaleEpoch(self._epoch)
            end = self._write(chunks)
        if self._hashed == self._offset:
            for chunk in chunks:
                self._hash.update(chunk)
            self._hashed = end
        else:
            self._catch_up(CATCH_UP_BYTES)
        self._offset = end
        return end

    def digest(self) -> str:
        while self._hashed < self._offset:
            self._catch_up(CATCH_UP_BYTES)
        return self._hash.hexdigest()

    def close(self) -> None:
        os.close(self._data)
        os.close(self._lock)

    def _write(self, chunks: Sequence[memoryview | bytes]) -> int:
        end = self._offset
        try:
            for first in range(0, len(chunks), IOV_MAX):
                end = self._write_all(list(chunks[first : first + IOV_MAX]), end)
        except OSError as error:
            os.ftruncate(self._data, self._offset)
            if error.errno in NO_ROOM:
                raise StoreFull(error.strerror) from error
            raise
        return end

    def _write_all(self, chunks: list[memoryview | bytes], offset: int) -> int:
        while chunks:
            written = os.pwritev(self._data, chunks, offset)
            offset += written
            while chunks and written >= len(chunks[0]):
                written -= len(chunks.pop(0))
            if chunks and written:
                chunks[0] = memoryview(chunks[0])[written:]
        return offset

    def _catch_up(self, most: int) -> None:
        end = min(self._offset, self._hashed + most)
        while self._hashed < end:
            block = os.pread(self._data, min(READ_BYTES, end - self._hashed), self._hashed)
            self._hash.update(block)
            self._hashed += len(block)


@contextmanager
def locked(lock: int) -> Iterator[None]:
    """Hold the lock of one upload, against other processes and other writers of this one."""
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)


def newest(lock: int) -> int:
    """The newest writer's epoch, 0 where there was none."""
    return int.from_bytes(os.pread(lock, 8, 0), "big")


def sync(path: Path) -> None:
    """fsync of a file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
