"""Where the bytes of uploads lie. `base` is the port; `filesystem` the store that ships."""

import functools

from django.core.files.storage import FileSystemStorage, storages

from uploads.store.base import UploadStore
from uploads.store.filesystem import FilesystemStore

ALIAS = "uploads"
"""The Django storage through which sealed blobs are read."""


@functools.cache
def store() -> UploadStore:
    """The store in force: the one that fits Django's storage `uploads`."""
    storage = storages[ALIAS]
    if isinstance(storage, FileSystemStorage):
        return FilesystemStore(storage.path(""))
    raise NotImplementedError(f"no UploadStore writes to {type(storage).__name__}")
