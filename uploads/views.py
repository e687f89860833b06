"""The upload page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from processing import access


def index(request: HttpRequest) -> HttpResponse:
    """Choose or drop files, and watch them."""
    access.ensure_session(request)
    return render(request, "uploads/index.html")
