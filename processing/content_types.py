"""Content types: what a file's name stands for, the same on every machine, and what a processor accepts. Pure."""

import mimetypes
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

_PATTERN = re.compile(r"(\*|[a-z0-9][a-z0-9!#$&^_.+-]*)/(\*|[a-z0-9*][a-z0-9!#$&^_.+*-]*)")
_TYPES = mimetypes.MimeTypes()  # without the system's own table
for _extension, _kind in {
    ".avif": "image/avif",
    ".epub": "application/epub+zip",
    ".geojson": "application/geo+json",
    ".heic": "image/heic",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".sqlite": "application/vnd.sqlite3",
    ".toml": "application/toml",
    ".tsv": "text/tab-separated-values",
    ".log": "text/plain",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}.items():
    _TYPES.add_type(_kind, _extension)
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


def content_type_of(name: str) -> str:
    """The type that a name's extension stands for, such as text/csv; an empty string where it says nothing."""
    kind, compression = _TYPES.guess_type(f"./{name}", strict=True)  # the dot: a name like `data:x` is no URL
    return _COMPRESSED.get(compression, "application/octet-stream") if compression else kind or ""


def covers(accepted: Sequence[str], content_type: str) -> bool:
    """Whether one of the patterns (`text/*`) covers a content type, whose case and parameters do not matter."""
    essence = content_type.partition(";")[0].strip().lower()
    return any(fnmatchcase(essence, pattern) for pattern in accepted)


def patterns(name: str, accepts: Sequence[str]) -> tuple[str, ...]:
    """What the processor `name` accepts, in lower case. Raises ValueError or TypeError for what are no patterns."""
    if isinstance(accepts, str):
        raise TypeError(f'Processor {name}: accepts is a list: ["{accepts}"]')
    found = tuple(pattern.lower() for pattern in accepts)
    if wrong := [pattern for pattern in found if not _PATTERN.fullmatch(pattern)]:
        raise ValueError(f"Processor {name}: {wrong[0]!r} is not a content type such as text/csv, image/* or */*")
    if not found:
        raise ValueError(f"Processor {name}: accepts is empty; it would take no file")
    return found
