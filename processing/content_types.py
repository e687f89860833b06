"""A content type from a file's name, the same on every machine (the system's own table is not read). Pure."""

import mimetypes

_TYPES = mimetypes.MimeTypes()
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
