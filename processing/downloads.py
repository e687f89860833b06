"""Files to a client: never whole in memory, never shown as a page of ours."""

from collections.abc import AsyncIterator

from django.core.files.storage import storages
from django.http import HttpRequest, HttpResponseNotModified, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from processing.errors import NotFound
from processing.models import Artifact
from processing.threads import in_files

BLOCK_BYTES = 256 << 10
SHOWN = frozenset({"image/webp", "image/jpeg", "image/png", "image/gif", "image/avif"})
"""What may be shown in the page: pictures that cannot carry a script."""


def download(
    request: HttpRequest, storage: str, storage_name: str, *, name: str, content_type: str, size: int, etag: str
) -> HttpResponseBase:
    """A stored file as an attachment, or inline with `?inline=1` where it is one of SHOWN.

    Raises NotFound where the storage has lost it.
    """
    tag = f'"{etag}"'
    if request.headers.get("If-None-Match") == tag:
        return HttpResponseNotModified(headers={"ETag": tag})
    inline = content_type in SHOWN and request.GET.get("inline") == "1"
    if not storages[storage].exists(storage_name):
        raise NotFound("The file is not there any more.")
    response = StreamingHttpResponse(_blocks(storage, storage_name), content_type=content_type)
    fields = {
        "Content-Length": str(size),
        "Content-Disposition": content_disposition_header(not inline, _header_safe(name)) or "attachment",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600",
        "ETag": tag,
    }
    for header, value in fields.items():
        response.headers[header] = value
    return response


def artifact(request: HttpRequest, row: Artifact) -> HttpResponseBase:
    """A file that a job made. Raises NotFound where the storage has lost it."""
    return download(
        request,
        "artifacts",
        row.storage_name,
        name=row.name,
        content_type=row.content_type,
        size=row.size,
        etag=row.sha256,
    )


def _header_safe(name: str) -> str:
    """Control characters have no place in a header, nor marks that turn the text's direction round."""
    return "".join(c if c.isprintable() else "_" for c in name)[-200:] or "file"


async def _blocks(storage: str, storage_name: str) -> AsyncIterator[bytes]:
    file = await in_files(storages[storage].open, storage_name)
    try:
        while block := await in_files(file.read, BLOCK_BYTES):
            yield block
    finally:
        await in_files(file.close)
