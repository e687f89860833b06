"""The HTTP API of uploads. What is another's is 404."""

import uuid
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router

from processing import access
from processing.downloads import download
from processing.errors import NotFound
from uploads import services
from uploads.models import Upload
from uploads.store import ALIAS, store

router = Router()


@router.get("uploads")
def unfinished(request: HttpRequest) -> dict[str, Any]:
    """One's own uploads that wait for bytes."""
    return {"uploads": [_upload(upload) for upload in services.unfinished(access.of_request(request))]}


@router.get("uploads/{uuid:upload_id}")
def one_upload(request: HttpRequest, upload_id: uuid.UUID) -> dict[str, Any]:
    """One upload, whatever became of it."""
    token = request.GET.get("token") or request.headers.get("X-Upload-Token")
    return _upload(services.find(access.of_request(request), upload_id, token))


@router.get("uploads/{uuid:upload_id}/file")
def file(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponseBase:
    """A stored file as it was sent, as an attachment."""
    token = request.GET.get("token") or request.headers.get("X-Upload-Token")
    upload = services.find(access.of_request(request), upload_id, token)
    if upload.state != Upload.State.COMPLETE:
        raise NotFound("The upload is not complete.")
    return download(
        request,
        ALIAS,
        store().name(upload.pk),
        name=upload.name,
        content_type="application/octet-stream",
        size=upload.size or 0,
        etag=upload.sha256,
    )


def _upload(upload: Upload) -> dict[str, Any]:
    return {
        "upload": str(upload.pk),
        "name": upload.name,
        "size": upload.size,
        "offset": upload.offset,
        "modified": upload.modified.isoformat() if upload.modified else None,
        "processor": upload.processor,
        "state": upload.state,
        "created_at": upload.created_at.isoformat(),
        "completed_at": upload.completed_at.isoformat() if upload.completed_at else None,
        "expires_at": upload.expires_at.isoformat(),
    }
