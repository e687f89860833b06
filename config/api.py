"""The HTTP API, assembled from its rooms."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from processing.api_views import router as jobs
from processing.errors import HeadraceError
from uploads.api_views import router as uploads

api = NinjaAPI(title="Headrace", version="1", docs_url=None, urls_namespace="api")
api.add_router("", jobs)
api.add_router("", uploads)

STATUS = {"not_found": 404, "unauthorized": 401, "forbidden": 403, "conflict": 409, "internal": 500}


def _answer(request: HttpRequest, error: Any) -> HttpResponse:
    body = {"error": {"code": error.code, "message": error.message, "retryable": error.retryable, **error.detail}}
    return api.create_response(request, body, status=STATUS.get(error.code, 400))


api.add_exception_handler(HeadraceError, _answer)
