"""What kind of file it is by its first bytes, and whether its name says the same."""

_UNKNOWN = "application/octet-stream"
_ZIP = "application/zip"
_MORE = ((b"PAR1", "application/vnd.apache.parquet"),)
_PLAIN_NAMES = {
    "application/x-gzip": "application/gzip",
    "application/x-bzip": "application/x-bzip2",
    "audio/x-wav": "audio/wav",
    "image/x-ms-bmp": "image/bmp",
    "image/jpg": "image/jpeg",
    "text/xml": "application/xml",
}
_TEXTUAL = {
    "application/geo+json",
    "application/javascript",
    "application/json",
    "application/jsonl",
    "application/pdf",
    "application/postscript",
    "application/rtf",
    "application/toml",
    "application/x-ndjson",
    "application/x-sh",
    "application/xml",
    "application/yaml",
    "image/svg+xml",
}
_IN_ZIP = ("application/vnd.openxmlformats-", "application/vnd.oasis.", "application/epub", "application/java-archive")


def type_by_content(sample: bytes, is_text: bool, by_name: str) -> str:
    """The content type that the first bytes show; text/plain for other text, application/octet-stream if unknown.

    Where several fit equally well, the one that the name stands for.
    """
    candidates = _candidates(sample)
    if is_text:
        textual = [kind for kind in candidates if _textual(kind)]
        return textual[0] if textual else "text/plain"
    if sample.startswith(b"PK\x03\x04") and _plain(by_name) not in candidates:
        return _ZIP
    return _plain(by_name) if _plain(by_name) in candidates else (candidates or [_UNKNOWN])[0]


def matches(by_content: str, by_name: str) -> bool | None:
    """Whether content and name agree; None where one of them says nothing. Text is text: CSV has no mark."""
    named = _plain(by_name)
    if not named or _UNKNOWN in (named, by_content):
        return None
    if by_content == named or (_textual(by_content) and by_content != "application/pdf" and _textual(named)):
        return True
    if by_content == _ZIP:
        return named.startswith(_IN_ZIP)
    family, _, kind = by_content.partition("/")
    return {family, named.partition("/")[0]} == {"audio", "video"} and kind == named.partition("/")[2]


def _candidates(sample: bytes) -> list[str]:
    """The types that fit best, as puremagic has them."""
    for begin, kind in _MORE:
        if sample.startswith(begin):
            return [kind]
    import puremagic

    try:
        found = puremagic.magic_string(sample)
    except (puremagic.PureError, ValueError):  # unknown, or empty
        return []
    best = max(one.confidence for one in found)
    kinds = [_plain(one.mime_type) for one in found if one.confidence == best and one.mime_type]
    return list(dict.fromkeys(kinds))


def _plain(kind: str) -> str:
    return _PLAIN_NAMES.get(kind, kind)


def _textual(kind: str) -> bool:
    return kind.startswith("text/") or kind in _TEXTUAL
