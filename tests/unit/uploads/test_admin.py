"""Uploads in the admin: everything can be seen, nothing can be changed."""

import html
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from processing.lifecycle import JobState
from tests.unit.admin_rows import HOSTILE, body, make_job, make_upload, staff
from uploads.models import Upload
from uploads.sealing import source_of
from uploads.store import ALIAS, store

pytestmark = pytest.mark.django_db

UPLOADS = "/admin/uploads/upload/"


def page_of(upload: Upload) -> str:
    return f"{UPLOADS}{upload.pk}/change/"


def text_of(response: Any) -> str:
    assert response.status_code == 200, response
    return html.unescape(response.content.decode()).replace("\u00a0", " ")


def test_looking_needs_the_permission(client: Client) -> None:
    upload = make_upload()
    client.force_login(staff("view_job"))
    for url in (UPLOADS, page_of(upload), f"{UPLOADS}{upload.pk}/file/"):
        assert client.get(url).status_code == 403
    client.force_login(staff("view_upload", name="hopper"))
    assert client.get(UPLOADS).status_code == 200
    assert client.get(page_of(upload)).status_code == 200


def test_nothing_can_be_added_changed_or_deleted(admin_client: Client) -> None:
    upload = make_upload()
    assert admin_client.get(f"{UPLOADS}add/").status_code == 403
    assert admin_client.get(f"{UPLOADS}{upload.pk}/delete/").status_code == 403
    assert admin_client.post(page_of(upload), {"name": "x"}).status_code == 403
    admin_client.post(UPLOADS, {"action": "delete_selected", "_selected_action": [upload.pk], "post": "yes"})
    assert Upload.objects.filter(pk=upload.pk).exists()


def test_the_list_tells_state_size_owner_and_the_newest_job(admin_client: Client) -> None:
    ada = User.objects.create_user("ada")
    stored = make_upload("stored.csv", size=18_700_000, user=ada, owner=f"user:{ada.pk}")
    make_upload("half.iso", Upload.State.RECEIVING, size=50_000_000, offset=18_000_000)
    make_upload("endless", Upload.State.RECEIVING, size=None)
    make_job(source=source_of(stored), state=JobState.FAILED)
    job = make_job(source=source_of(stored), processor="word-count")
    text = text_of(admin_client.get(UPLOADS))
    for piece in ("18.7 MB", "36 % of 50 MB", "size not known yet", "ada", "Nobody, by token", "word-count: Done"):
        assert piece in text, piece
    assert f"/admin/processing/job/{job.pk}/change/" in text
    assert "inspect: Failed" not in text


def test_every_state_has_a_word_and_a_chip(admin_client: Client) -> None:
    for state in Upload.State:
        make_upload(state.value, state)
    response = admin_client.get(UPLOADS)
    (chips, *_) = response.context["cl"].filter_specs
    counts = {choice["display"]: choice["count"] for choice in chips.choices(response.context["cl"])}
    assert counts.pop("All") == len(Upload.State)
    assert set(counts.values()) == {1}
    chosen = admin_client.get(UPLOADS, {"state": "expired"}).context["cl"].result_list
    assert [upload.name for upload in chosen] == ["expired"]


def test_the_page_has_the_digest_and_every_job(admin_client: Client) -> None:
    upload = make_upload(modified=timezone.now(), key="k", params={"top": 3}, processor="word-count")
    jobs = [make_job(source=source_of(upload)), make_job(source=source_of(upload), state=JobState.FAILED)]
    make_job(processor="elsewhere")
    text = text_of(admin_client.get(page_of(upload)))
    assert upload.sha256 in text
    assert '{"top": 3}' in text
    for job in jobs:
        assert f"/admin/processing/job/{job.pk}/change/" in text
    assert "elsewhere" not in text


def test_an_upload_that_failed_says_why(admin_client: Client) -> None:
    upload = make_upload("x", Upload.State.FAILED, error_message="The digest is another.")
    text = text_of(admin_client.get(page_of(upload)))
    assert "<strong>The digest is another.</strong>" in text
    assert "No job reads this file." in text
    assert "/file/" not in text


def test_nothing_hostile_is_markup(admin_client: Client) -> None:
    upload = make_upload(HOSTILE, content_type=HOSTILE, error_message=HOSTILE, key=HOSTILE, params={"p": HOSTILE})
    for url in (UPLOADS, page_of(upload), f"{UPLOADS}{upload.pk}/history/"):
        raw = admin_client.get(url).content.decode()
        assert "<script>alert" not in raw, url
        assert "\u202e" not in raw, url
        assert "<bdi>&lt;script&gt;" in raw, url


@pytest.mark.parametrize("query", ["harbour", "{id}", "{short}", "{sha}", "ada", "user:"])
def test_search_finds_an_upload(admin_client: Client, query: str) -> None:
    ada = User.objects.create_user("ada")
    upload = make_upload("harbour.csv", user=ada, owner=f"user:{ada.pk}", sha256="c3" * 32)
    make_upload("mountain.csv")
    words = query.format(id=upload.pk, short=str(upload.pk)[:8], sha="c3" * 32)
    found = admin_client.get(UPLOADS, {"q": words}).context["cl"].result_list
    assert [row.name for row in found] == ["harbour.csv"]


def test_a_long_list_costs_as_many_queries_as_a_short_one(admin_client: Client) -> None:
    def grow(number: int) -> None:
        user = User.objects.create_user(f"u{number}")
        make_job(source=source_of(make_upload(f"{number}.csv", user=user)))

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(UPLOADS).status_code == 200
        return len(captured)

    grow(0)
    few = cost()
    for number in range(1, 30):
        grow(number)
    assert cost() == few
    assert few <= 16


def test_the_file_comes_as_an_attachment_that_is_no_page(admin_client: Client) -> None:
    upload = make_upload("page.html", size=9, content_type="text/html")
    storages[ALIAS].save(store().name(upload.pk), ContentFile(b"<script>1"))
    response = admin_client.get(f"{UPLOADS}{upload.pk}/file/")
    assert body(response) == b"<script>1"
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment")


def test_a_file_that_is_not_there_is_not_found(admin_client: Client) -> None:
    for upload in (make_upload(), make_upload("x", Upload.State.RECEIVING)):
        assert admin_client.get(f"{UPLOADS}{upload.pk}/file/").status_code == 404
