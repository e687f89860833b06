"""What an attempt made: from its private folder into the storage `artifacts`, under <job>/<attempt>/<n>."""

import contextlib
import hashlib
import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import storages

from processing.leases import NewArtifact
from processing.models import Job

logger = logging.getLogger(__name__)

MOST = 1000
"""Artifacts of one job."""


class BadOutputError(Exception):
    """The processor names a file that cannot be an artifact. The message is for its author."""


class _Movable(File):  # type: ignore[type-arg]
    """A file that a storage on the same filesystem may take by renaming it."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def save(job: Job, folder: Path, made: Sequence[dict[str, Any]]) -> list[NewArtifact]:
    """Hash and store the files that the child reported. Raises BadOutputError; then nothing stays stored."""
    if len(made) > MOST:
        raise BadOutputError(f"{len(made)} artifacts; at most {MOST} are allowed.")
    saved: list[NewArtifact] = []
    try:
        for number, one in enumerate(made):
            saved.append(_save(folder / str(one["file"]), folder, one, f"{job.pk}/{job.attempt}/{number}"))
    except BaseException:
        forget(saved)
        raise
    return saved


def _save(path: Path, folder: Path, one: dict[str, Any], name: str) -> NewArtifact:
    if ".." in path.parts or not path.is_relative_to(folder):
        raise BadOutputError(f"The artifact {one['name']} does not lie in the job's own folder.")
    try:
        # No link is followed: the processor's files are read with the worker's rights.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadOutputError(f"The artifact {one['name']} cannot be read: {error.strerror}.") from error
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise BadOutputError(f"The artifact {one['name']} is not a plain file.")
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(descriptor)
        stream.seek(0)
        stored = storages["artifacts"].save(name, _Movable(stream, str(path)))
    return NewArtifact(
        name=str(one["name"]),
        content_type=str(one["content_type"])[:255],
        size=found.st_size,
        sha256=digest,
        storage_name=stored,
        is_result=bool(one.get("is_result")),
    )


def forget(saved: Sequence[NewArtifact]) -> None:
    """Delete what was stored for a finish that did not win."""
    for one in saved:
        with contextlib.suppress(OSError):
            storages["artifacts"].delete(one.storage_name)
