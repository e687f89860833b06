"""A job's private folder, and its input as an open descriptor, through Django's storage API."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import InvalidStorageError, Storage, storages

from processing.models import Job

SPOOL = ".input"
"""The file in the private folder that holds an input whose storage gives no real file."""

_BLOCK = 1 << 20


class InputMissingError(Exception):
    """The stored file that the job should read is not there. The message is for its owner."""

    def __init__(self) -> None:
        super().__init__("The stored file is not there any more. Upload it again.")


@dataclass
class Prepared:
    """What an attempt needs before its child begins. `source` is None while the input is still to be spooled."""

    folder: Path
    source: int | None = None
    error: InputMissingError | OSError | None = None

    def close(self) -> None:
        """Close the descriptor, if nobody has taken it."""
        if self.source is not None:
            os.close(self.source)
            self.source = None

    def take(self) -> int | None:
        """The descriptor, which is the caller's from now on."""
        source, self.source = self.source, None
        return source


def work_dir() -> Path:
    """The folder with the private folders of all running attempts on this machine."""
    folder = Path(settings.HEADRACE.var_dir, "work")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def prepare(job: Job) -> Prepared:
    """Make the private folder, and open the input where that takes no copying. What goes wrong is in `error`."""
    folder = Path(settings.HEADRACE.var_dir, "work", f"{job.pk}-{job.attempt}")
    try:
        folder.mkdir(mode=0o700, parents=True)
        return Prepared(folder, _open(_storage(job), job.input_name))
    except (InputMissingError, OSError) as error:
        return Prepared(folder, error=error)


def spool(job: Job, prepared: Prepared, wanted: Callable[[], bool]) -> None:
    """Copy the input into the private folder and open it, as long as it is `wanted`.

    Raises InputMissingError, and OSError for a full disk.
    """
    place = prepared.folder / SPOOL
    try:
        stream = _storage(job).open(job.input_name, "rb")
    except (FileNotFoundError, SuspiciousOperation) as error:
        raise InputMissingError from error
    with stream, place.open("xb") as copy:
        for block in stream.chunks(_BLOCK):
            copy.write(block)
            if not wanted():
                return
    prepared.source = os.open(place, os.O_RDONLY | os.O_CLOEXEC)


def _storage(job: Job) -> Storage:
    try:
        return storages[job.input_storage]
    except InvalidStorageError as error:
        raise InputMissingError from error


def _open(storage: Storage, name: str) -> int | None:
    try:
        return os.open(storage.path(name), os.O_RDONLY | os.O_CLOEXEC)
    except NotImplementedError:  # a storage without files of its own
        return None
    except (FileNotFoundError, IsADirectoryError, SuspiciousOperation) as error:
        raise InputMissingError from error


def remove_empty(folder: Path) -> None:
    """Remove a private folder if nothing is in it, which is mostly so."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def remove(folder: Path) -> None:
    """Remove a private folder with all that is in it. A processor may have taken its own rights away."""
    shutil.rmtree(folder, onerror=_forced)


def _forced(function: object, path: str, _: object) -> None:
    del function
    with contextlib.suppress(OSError):
        Path(path).parent.chmod(0o700)
        Path(path).chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink()


def remove_leftovers() -> int:
    """Remove the folders of attempts that run no more, as a killed worker leaves them; how many there were."""
    removed = 0
    for folder in work_dir().iterdir():
        job_id, _, attempt = folder.name.rpartition("-")
        try:
            running = Job.objects.running(uuid.UUID(job_id), int(attempt)).exists()
        except ValueError:
            continue
        if not running:
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed
