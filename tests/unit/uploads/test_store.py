"""The filesystem store, on a real folder."""

import errno
import hashlib
import os
import threading
import uuid
from pathlib import Path

import pytest

from uploads.store.base import Missing, StaleEpoch, StoreFull
from uploads.store.filesystem import FilesystemStore, FileWriter

ID = uuid.UUID("5f0c1e9a-0000-4000-8000-000000000001")


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_bytes_become_a_blob_named_by_the_id(store: FilesystemStore, tmp_path: Path) -> None:
    writer = store.open(ID, 1, new=True)
    assert writer.append([b"hello ", memoryview(b"world")]) == 11
    assert names(tmp_path) == [f"5f/{ID.hex}.epoch", f"5f/{ID.hex}.part"]
    assert writer.digest() == hashlib.sha256(b"hello world").hexdigest()
    assert store.publish(ID) == f"5f/{ID.hex}"
    writer.close()
    assert names(tmp_path) == [f"5f/{ID.hex}"]
    assert (tmp_path / store.name(ID)).read_bytes() == b"hello world"


def test_publish_may_be_repeated(store: FilesystemStore) -> None:
    store.open(ID, 1, new=True).close()
    assert store.publish(ID) == store.publish(ID)
    assert store.size(ID) == 0


def test_nothing_stored_is_missing(store: FilesystemStore) -> None:
    for ask in (store.size, store.digest, store.publish):
        with pytest.raises(Missing):
            ask(ID)
    with pytest.raises(Missing):
        store.open(ID, 1)
    store.delete(ID)


def test_the_newest_writer_wins(store: FilesystemStore) -> None:
    older = store.open(ID, 1, new=True)
    older.append([b"one"])
    newer = store.open(ID, 2)
    assert newer.offset == 3
    with pytest.raises(StaleEpoch):
        older.append([b"lost"])
    newer.append([b"two"])
    with pytest.raises(StaleEpoch):
        store.open(ID, 1)
    assert newer.digest() == store.digest(ID) == hashlib.sha256(b"onetwo").hexdigest()
    older.close()
    newer.close()


def test_two_writers_never_interleave(store: FilesystemStore) -> None:
    """A takeover in the middle of an older writer's appends: the file is a run of the one, then a run of the other."""
    older = store.open(ID, 1, new=True)
    stale: list[bool] = []

    def write_until_taken() -> None:
        try:
            for _ in range(5000):
                older.append([b"a" * 1000])
        except StaleEpoch:
            stale.append(True)

    thread = threading.Thread(target=write_until_taken)
    thread.start()
    while older.offset < 100_000:
        pass
    newer = store.open(ID, 2)
    taken_at = newer.offset
    for _ in range(100):
        newer.append([b"b" * 1000])
    thread.join()
    assert stale == [True]
    stored = (store.root / f"{store.name(ID)}.part").read_bytes()
    assert stored == b"a" * taken_at + b"b" * 100_000
    older.close()
    newer.close()


def test_a_resumed_writer_hashes_what_was_there(store: FilesystemStore) -> None:
    first = store.open(ID, 1, new=True)
    body = os.urandom(20 << 20)
    first.append([body[: 10 << 20]])
    first.close()
    second = store.open(ID, 2)
    for start in range(10 << 20, 20 << 20, 1 << 20):
        second.append([body[start : start + (1 << 20)]])
    assert second.digest() == hashlib.sha256(body).hexdigest()
    second.close()


def test_many_tiny_chunks_in_one_batch(store: FilesystemStore) -> None:
    writer = store.open(ID, 1, new=True)
    assert writer.append([bytes([n % 256]) for n in range(5000)]) == 5000
    assert writer.digest() == hashlib.sha256(bytes(n % 256 for n in range(5000))).hexdigest()
    writer.close()


def test_a_short_write_is_completed(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may write less than asked; os.pwritev is made to."""
    real = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, chunks, offset: real(fd, [bytes(chunks[0][:3])], offset))
    writer = store.open(ID, 1, new=True)
    assert writer.append([b"hello", b"world"]) == 10
    assert store.digest(ID) == hashlib.sha256(b"helloworld").hexdigest()
    writer.close()


def test_no_room_stores_nothing_of_the_batch(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwritev
    writer = store.open(ID, 1, new=True)
    writer.append([b"kept"])

    def full(descriptor: int, chunks: list[bytes], offset: int) -> int:
        if offset > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, [bytes(chunks[0][:2])], offset)

    monkeypatch.setattr(os, "pwritev", full)
    with pytest.raises(StoreFull):
        writer.append([b"more"])
    monkeypatch.undo()
    assert store.size(ID) == 4
    assert writer.append([b"more"]) == 8
    assert writer.digest() == hashlib.sha256(b"keptmore").hexdigest()
    writer.close()


def test_delete_stops_a_writer_and_leaves_nothing(store: FilesystemStore, tmp_path: Path) -> None:
    writer = store.open(ID, 1, new=True)
    writer.append([b"gone"])
    store.delete(ID)
    with pytest.raises(StaleEpoch):
        writer.append([b"ghost"])
    assert names(tmp_path) == []
    writer.close()


def test_close_lets_go_of_every_descriptor(store: FilesystemStore) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for epoch in range(1, 20):
        writer: FileWriter = store.open(ID, epoch, new=True)
        writer.close()
    with pytest.raises(StaleEpoch):
        store.open(ID, 1)
    assert len(os.listdir("/proc/self/fd")) == before
