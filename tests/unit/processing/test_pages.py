"""The pages as the server draws them: one's own jobs, filters, pages of 50, and what is not one's own."""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.template.loader import render_to_string
from django.test import Client, override_settings
from django.utils import timezone

from processing.access import SESSION_KEY, Principal
from processing.models import Job
from uploads.models import Upload

pytestmark = pytest.mark.django_db
User = get_user_model()


@pytest.fixture(autouse=True)
def static_without_manifest() -> Iterator[None]:
    """The manifest is made by collectstatic, which unit tests do without."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


def make(owner: str, **fields: Any) -> Job:
    given: dict[str, Any] = {
        "name": "cities.csv",
        "processor": "inspect",
        "input_size": 105_000,
        "available_at": timezone.now(),
    }
    return Job.objects.create(owner=owner, **{**given, **fields})


@pytest.fixture
def ada(client: Client) -> str:
    user = User.objects.create_user("ada")
    client.force_login(user)
    return f"user:{user.pk}"


def text(client: Client, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status
    return answer.content.decode()


def test_a_history_is_ones_own(client: Client, ada: str) -> None:
    make(ada, name="mine.csv", state="failed", error_message="Row 17 is <b>odd</b>.")
    make("user:999999", name="theirs.csv")
    make("", name="nobodys.csv")
    page = text(client, "/jobs/")
    assert "mine.csv" in page
    assert "Row 17 is &lt;b&gt;odd&lt;/b&gt;</span> · " in page
    assert "theirs.csv" not in page
    assert "nobodys.csv" not in page


def test_names_cannot_hide_or_break_out(client: Client, ada: str) -> None:
    job = make(ada, name='"><script>alert(1)</script>\u202egpj.exe')
    for url in ("/jobs/", f"/jobs/{job.pk}/"):
        page = text(client, url)
        assert "<script>alert" not in page
        assert "⟨U+202E⟩gpj.exe" in page


def test_filters_count_and_choose(client: Client, ada: str) -> None:
    make(ada, name="good.csv", state="succeeded")
    make(ada, name="bad.csv", state="failed")
    page = text(client, "/jobs/?state=failed")
    assert "bad.csv" in page
    assert "good.csv" not in page
    assert re.search(r'href="/jobs/"[^>]*>All <span class="count">2<', page)
    assert '<a class="button" href="/jobs/?state=failed" aria-current="true">Failed ' in page
    assert '<span class="count" data-count="failed">1</span>' in page
    assert "None of your jobs is in this state." in text(client, "/jobs/?state=cancelled")


def test_pages_of_fifty(client: Client, ada: str) -> None:
    Job.objects.bulk_create(
        Job(owner=ada, name=f"file-{n:03}", processor="inspect", available_at=timezone.now()) for n in range(51)
    )
    first, second = text(client, "/jobs/"), text(client, "/jobs/?page=2")
    assert first.count('class="row"') == 50
    assert second.count('class="row"') == 1
    assert 'rel="next" href="/jobs/?page=2"' in first
    assert 'rel="prev" href="/jobs/"' in second


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page=99999999999", "page=²", "state=<b>", "state=nope"]
)
def test_nonsense_in_the_address_is_ignored(client: Client, ada: str, query: str) -> None:
    text(client, f"/jobs/?{query}")


def test_an_empty_history_says_what_to_do(client: Client, ada: str) -> None:
    assert "Nothing has been processed yet." in text(client, "/jobs/")


def test_without_an_owner_there_is_no_history(client: Client) -> None:
    assert "Log in to have a history." in text(client, "/jobs/")


def test_a_job_that_has_ended_is_not_followed_in_the_list(client: Client, ada: str) -> None:
    done, running = make(ada, state="succeeded"), make(ada, state="running")
    page = text(client, "/jobs/")
    assert f'data-job="{running.pk}"' in page
    assert f'data-job="{done.pk}"' not in page


def test_anothers_job_is_not_there(client: Client, ada: str) -> None:
    theirs = make("user:999999")
    assert "There is nothing here" in text(client, f"/jobs/{theirs.pk}/", 404)
    assert "There is nothing here" in text(client, f"/jobs/{uuid.uuid4()}/", 404)


def test_a_jobs_page_shows_reason_original_and_parameters(client: Client, ada: str) -> None:
    job = make(
        ada, state="failed", error_code="bad_row", error_message="Row 17.", source="upload:u-1", params={"top": 3}
    )
    page = text(client, f"/jobs/{job.pk}/")
    assert '<b id="reason-text">Row 17.</b>' in page
    assert 'href="/api/v1/uploads/u-1/file"' in page
    assert 'data-params="{&quot;top&quot;: 3}"' in page


def test_the_traceback_is_for_staff(client: Client, ada: str) -> None:
    job = make(ada, state="failed", traceback="Traceback: secret path")
    assert "secret path" not in text(client, f"/jobs/{job.pk}/")
    User.objects.update(is_staff=True)
    assert "secret path" in text(client, f"/jobs/{job.pk}/")


def test_a_browser_that_is_not_logged_in(client: Client) -> None:
    with override_settings(HEADRACE=settings.HEADRACE.model_copy(update={"anonymous_sessions": True})):
        assert 'data-owner="session"' in text(client, "/")
        owner = Principal(session=client.session[SESSION_KEY]).owner
        job = make(owner, name="mine.csv")
        assert "mine.csv" in text(client, "/jobs/")
        assert "mine.csv" in text(client, f"/jobs/{job.pk}/")
        assert "mine.csv" not in text(Client(), "/jobs/")


def test_where_nobody_owns_what_they_upload(client: Client) -> None:
    page = text(client, "/")
    assert 'data-owner="none"' in page
    assert SESSION_KEY not in client.session
    assert 'class="empty"' in page


def test_who_comes_back_is_not_greeted_with_an_empty_list(client: Client, ada: str) -> None:
    assert 'class="empty"' in text(client, "/")
    Upload.objects.create(owner=ada, name="half", token_hash="", expires_at=timezone.now() + timedelta(days=1))
    assert 'class="two"' in text(client, "/")


def test_the_upload_page_names_limit_and_default(client: Client) -> None:
    page = text(client, "/")
    assert "Up to 53.7\u00a0GB each" in page
    assert "The default: Inspect" in page


def test_no_inline_script_or_style(client: Client, ada: str) -> None:
    job = make(ada)
    for url in ("/", "/jobs/", f"/jobs/{job.pk}/", "/accounts/login/?x", "/nothing/"):
        page = client.get(url).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", page), url


def test_the_log_in_page(client: Client) -> None:
    page = text(client, "/accounts/login/?next=/jobs/")
    assert 'name="next" value="/jobs/"' in page
    answer = client.post("/accounts/login/", {"username": "nobody", "password": "x"})
    assert 'role="alert"' in answer.content.decode()


def test_the_error_page_needs_nothing_of_the_request() -> None:
    assert "Something broke on the server" in render_to_string("500.html")
