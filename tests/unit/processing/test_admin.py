"""Jobs, workers and tokens in the admin: who may do what, and nothing that a client sent becomes markup."""

import html
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from processing import access
from processing.admin_parts import ACTION_LIMIT
from processing.errors import Unauthorized
from processing.lifecycle import JobState
from processing.models import ApiToken, Artifact, Job, JobEvent
from tests.unit.admin_rows import HOSTILE, body, make_job, make_upload, make_worker, staff
from uploads.models import Upload

pytestmark = pytest.mark.django_db

JOBS = "/admin/processing/job/"
TOKENS = "/admin/processing/apitoken/"


def page_of(job: Job) -> str:
    return f"{JOBS}{job.pk}/change/"


def text_of(response: Any) -> str:
    assert response.status_code == 200, response
    return html.unescape(response.content.decode())


def told(response: Any) -> list[str]:
    """What the page says of an action."""
    return [str(message) for message in response.context["messages"]]


@pytest.fixture
def as_staff(client: Client) -> Callable[..., Client]:
    def log_in(*permissions: str) -> Client:
        client.force_login(staff(*permissions))
        return client

    return log_in


def act(client: Client, url: str, action: str, *rows: Any) -> Any:
    return client.post(url, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)


# Who may do what


def test_without_the_view_permission_there_is_nothing(as_staff: Callable[..., Client]) -> None:
    job = make_job()
    client = as_staff()
    for url in (JOBS, page_of(job), "/admin/processing/worker/", TOKENS):
        assert client.get(url).status_code == 403
    assert Client().get(JOBS).status_code == 302


def test_rows_cannot_be_added_edited_or_deleted_even_by_a_superuser(admin_client: Client) -> None:
    job, worker = make_job(), make_worker()
    for row in (job, worker):
        base = f"/admin/processing/{row._meta.model_name}/"
        assert admin_client.get(f"{base}add/").status_code == 403
        assert admin_client.get(f"{base}{row.pk}/delete/").status_code == 403
        assert admin_client.post(f"{base}{row.pk}/change/", {"name": "x"}).status_code == 403
        assert "delete_selected" not in text_of(admin_client.get(base))


def test_no_action_or_button_without_its_own_permission(as_staff: Callable[..., Client]) -> None:
    waiting, failed = make_job(state=JobState.QUEUED), make_job(state=JobState.FAILED)
    client = as_staff("view_job")
    listed = text_of(client.get(JOBS))
    assert "cancel_jobs" not in listed
    assert "retry_jobs" not in listed
    assert "/do/" not in text_of(client.get(page_of(waiting))) + text_of(client.get(page_of(failed)))
    act(client, JOBS, "cancel_jobs", waiting)
    act(client, JOBS, "retry_jobs", failed)
    for job, tool in ((waiting, "cancel"), (failed, "retry")):
        said = told(client.post(f"{JOBS}{job.pk}/do/{tool}/", follow=True))
        assert said == ["This is no longer possible, or not allowed to you."]
    waiting.refresh_from_db()
    assert waiting.state == JobState.QUEUED
    assert Job.objects.count() == 2


@pytest.mark.parametrize(
    ("permission", "there", "missing"),
    [("cancel_job", "cancel_jobs", "retry_jobs"), ("retry_job", "retry_jobs", "cancel_jobs")],
)
def test_each_permission_gives_its_action_alone(
    as_staff: Callable[..., Client], permission: str, there: str, missing: str
) -> None:
    make_job()
    listed = text_of(as_staff("view_job", permission).get(JOBS))
    assert there in listed
    assert missing not in listed


# Cancel and retry


def test_cancel_ends_waiting_jobs_stamps_running_ones_and_leaves_the_rest(as_staff: Callable[..., Client]) -> None:
    waiting, running, done = (make_job(state=JobState(s)) for s in ("queued", "running", "succeeded"))
    client = as_staff("view_job", "cancel_job")
    response = act(client, JOBS, "cancel_jobs", waiting, running, done)
    for job in (waiting, running, done):
        job.refresh_from_db()
    assert (waiting.state, waiting.seq) == (JobState.CANCELLED, 2)
    assert running.state == JobState.RUNNING
    assert running.cancel_requested_at is not None
    assert done.state == JobState.SUCCEEDED
    said = told(response)
    assert "1 cancelled." in said[0]
    assert "1 being stopped by their workers." in said[0]
    assert said[1] == "1 had already ended."
    assert LogEntry.objects.count() == 2


def test_retry_makes_new_jobs_and_says_why_not(as_staff: Callable[..., Client]) -> None:
    failed = make_job(state=JobState.FAILED)
    running = make_job(state=JobState.RUNNING)
    gone = make_job(state=JobState.FAILED, processor="gone")
    client = as_staff("view_job", "retry_job")
    said = told(act(client, JOBS, "retry_jobs", failed, running, gone))
    assert said[0] == "1 queued again."
    assert "1 left: This job has not ended yet." in said[1]
    assert "1 left: There is no processor gone." in said[1]
    new = Job.objects.get(retry_of=failed)
    assert (new.state, new.name, new.input_name) == (JobState.QUEUED, failed.name, failed.input_name)
    assert Job.objects.count() == 4


def test_the_buttons_of_a_job_do_the_same(as_staff: Callable[..., Client]) -> None:
    waiting, failed = make_job(state=JobState.QUEUED), make_job(state=JobState.FAILED)
    client = as_staff("view_job", "cancel_job", "retry_job")
    assert f"{JOBS}{waiting.pk}/do/cancel/" in text_of(client.get(page_of(waiting)))
    assert client.get(f"{JOBS}{waiting.pk}/do/cancel/").status_code == 405
    assert told(client.post(f"{JOBS}{waiting.pk}/do/cancel/", follow=True)) == ["1 job cancelled."]
    response = client.post(f"{JOBS}{failed.pk}/do/retry/", follow=True)
    new = Job.objects.get(retry_of=failed)
    assert response.redirect_chain[-1][0] == page_of(new)
    assert f"Job {new.pk}" in text_of(client.get(page_of(failed)))


def test_the_buttons_need_a_csrf_token(admin_user: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    job = make_job(state=JobState.QUEUED)
    assert strict.post(f"{JOBS}{job.pk}/do/cancel/").status_code == 403


def test_an_action_takes_so_many_rows_and_says_how_many_are_left(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ACTION_LIMIT >= 100
    monkeypatch.setattr("processing.admin_parts.ACTION_LIMIT", 2)
    jobs = [make_job(state=JobState.QUEUED) for _ in range(5)]
    said = told(act(admin_client, JOBS, "cancel_jobs", *jobs))
    assert said == ["2 cancelled.", "3 left for another time: one action takes 2 rows."]


# What is shown


def test_nothing_hostile_is_markup_anywhere(admin_client: Client) -> None:
    job = make_job(
        HOSTILE,
        JobState.FAILED,
        content_type=HOSTILE,
        error_message=HOSTILE,
        traceback=HOSTILE,
        result={HOSTILE: HOSTILE},
        params={"p": HOSTILE},
        source=HOSTILE,
        owner=HOSTILE,
    )
    for event in ("log", "partial", "retrying", "failed"):
        data = {"level": HOSTILE, "message": HOSTILE, "data": HOSTILE, "reason": HOSTILE, "error": {"message": HOSTILE}}
        JobEvent.objects.create(
            job=job, seq=100 + len(event), attempt=1, event=event, data=data, created_at=timezone.now()
        )
    Artifact.objects.create(job=job, attempt=1, name=HOSTILE, content_type=HOSTILE, size=1, storage_name="s")
    for url in (JOBS, page_of(job), "/admin/", f"{JOBS}{job.pk}/history/", f"{JOBS}?state=failed&q=script"):
        raw = admin_client.get(url).content.decode()
        assert "<script>alert" not in raw, url
        assert "&lt;script&gt;alert" in raw, url
    for url in (JOBS, page_of(job), f"{JOBS}{job.pk}/history/", "/admin/"):
        raw = admin_client.get(url).content.decode()
        assert "\u202e" not in raw, url
        assert "⟨U+202E⟩gpj.exe␇" in raw, url
        assert "<bdi>&lt;script&gt;" in raw, url


def test_a_job_shows_its_life_and_what_came_out(admin_client: Client) -> None:
    upload = make_upload()
    job = make_job(result={"rows": [1, "é"]}, source=f"upload:{upload.pk}", params={"top": 3}, worker=make_worker())
    Artifact.objects.create(job=job, attempt=1, name="out.csv", content_type="text/csv", size=18_700, storage_name="s")
    text = text_of(admin_client.get(page_of(job))).replace("\u00a0", " ")
    for piece in (
        '"rows": [\n    1,\n    "é"\n  ]',
        "out.csv",
        "18.7 KB, text/csv",
        "1 of 3",
        '{"top": 3}',
        "mill:7",
        f'<a href="/admin/uploads/upload/{upload.pk}/change/">',
        "Succeeded",
        job.input_sha256 or "no digest",
    ):
        assert piece in text, piece


def test_a_failed_job_leads_with_its_reason(admin_client: Client) -> None:
    job = make_job(
        state=JobState.FAILED, error_message="Row 17 is short", error_code="bad_row", traceback="Traceback: x"
    )
    text = text_of(admin_client.get(page_of(job)))
    assert text.index("<strong>Row 17 is short</strong>") < text.index("Traceback: x") < text.index('id="events"')


def test_a_job_that_is_not_there_leads_back_to_the_list(admin_client: Client) -> None:
    missing = "/admin/processing/job/0b6a2f4e-0000-4000-8000-000000000000/"
    assert admin_client.get(f"{missing}change/").status_code == 302
    assert admin_client.post(f"{missing}do/cancel/").status_code == 403


@pytest.mark.parametrize("query", ["harbour", "{id}", "{short}", "{sha}", "ada", "user:"])
def test_search_finds_a_job(admin_client: Client, query: str) -> None:
    ada = User.objects.create_user("ada")
    job = make_job("harbour.csv", user=ada, owner=f"user:{ada.pk}", input_sha256="c3" * 32)
    make_job("mountain.csv")
    words = query.format(id=job.pk, short=str(job.pk)[:8], sha="c3" * 32)
    found = admin_client.get(JOBS, {"q": words}).context["cl"].result_list
    assert [row.name for row in found] == ["harbour.csv"]


def test_chips_count_the_states_and_filters_narrow_them(admin_client: Client) -> None:
    make_job(state=JobState.FAILED)
    make_job(state=JobState.FAILED, processor="word-count")
    make_job(state=JobState.QUEUED)
    response = admin_client.get(JOBS, {"state": "failed", "processor": "inspect"})
    (chips, *_) = response.context["cl"].filter_specs
    shown = {choice["display"]: choice["count"] for choice in chips.choices(response.context["cl"])}
    assert shown == {"All": 2, "Waiting": 1, "Processing": 0, "Failed": 1, "Done": 0, "Cancelled": 0}
    assert len(response.context["cl"].result_list) == 1
    assert [choice["display"] for choice in chips.choices(response.context["cl"]) if choice["selected"]] == ["Failed"]


def test_by_date_and_by_queue(admin_client: Client) -> None:
    make_job()
    make_job(queue="slow")
    now = timezone.now()
    assert len(admin_client.get(JOBS, {"queue": "slow"}).context["cl"].result_list) == 1
    day = {"created_at__year": now.year, "created_at__month": now.month, "created_at__day": now.day}
    assert len(admin_client.get(JOBS, day).context["cl"].result_list) == 2


def test_a_list_of_many_costs_as_many_queries_as_one_of_few(admin_client: Client) -> None:
    users = [User.objects.create_user(f"u{number}") for number in range(10)]
    urls = (JOBS, "/admin/processing/worker/", TOKENS)

    def grow(number: int) -> None:
        user = users[number % 10]
        worker = make_worker(f"mill-{number}")
        job = make_job(
            f"{number}.csv", user=user, worker=worker, state=JobState.QUEUED if number % 2 else JobState.FAILED
        )
        Artifact.objects.create(job=job, attempt=1, name="a", content_type="b", size=1, storage_name="s")
        ApiToken.objects.create(user=user, token_hash=str(number))

    def costs() -> list[int]:
        counted = []
        for url in urls:
            with CaptureQueriesContext(
                connection,
            ) as captured:
                assert admin_client.get(url).status_code == 200
            counted.append(len(captured))
        return counted

    grow(0)
    grow(1)
    few = costs()
    for number in range(2, 30):
        grow(number)
    assert costs() == few
    assert max(few) <= 16


def test_the_page_of_a_job_costs_as_much_however_long_it_lived(admin_client: Client) -> None:
    job = make_job()

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(page_of(job)).status_code == 200
        return len(captured)

    first = cost()
    for number in range(20):
        JobEvent.objects.create(job=job, seq=50 + number, attempt=1, event="log", created_at=timezone.now())
        Artifact.objects.create(job=job, attempt=1, name="a", content_type="b", size=1, storage_name=f"{number}")
        make_job(retry_of=job)
    assert cost() == first


# Files


@pytest.fixture
def artifact() -> Artifact:
    name = storages["artifacts"].save("made/page.html", ContentFile(b"<script>alert(1)</script>"))
    return Artifact.objects.create(
        job=make_job(), attempt=1, name="../page\u202e.html", content_type="text/html", size=25, storage_name=name
    )


def test_staff_download_what_a_job_made_as_an_attachment(artifact: Artifact, admin_client: Client) -> None:
    response = admin_client.get(f"{JOBS}{artifact.job_id}/files/{artifact.pk}/")
    assert response.status_code == 200
    assert body(response) == b"<script>alert(1)</script>"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]


def test_a_file_is_found_under_its_own_job_alone_and_by_those_who_may_see_jobs(
    artifact: Artifact, admin_client: Client, as_staff: Callable[..., Client]
) -> None:
    assert admin_client.get(f"{JOBS}{make_job().pk}/files/{artifact.pk}/").status_code == 404
    lost = Artifact.objects.create(
        job_id=artifact.job_id, attempt=1, name="x", content_type="y", size=1, storage_name="not/there"
    )
    assert admin_client.get(f"{JOBS}{lost.job_id}/files/{lost.pk}/").status_code == 404
    assert as_staff("view_worker").get(f"{JOBS}{artifact.job_id}/files/{artifact.pk}/").status_code == 403


# Workers


def test_workers_say_whether_they_live_and_what_they_do(admin_client: Client) -> None:
    busy, lost = make_worker("busy"), make_worker("silent", silent=300)
    make_job(state=JobState.RUNNING, worker=busy)
    make_job(state=JobState.FAILED, worker=busy)
    text = text_of(admin_client.get("/admin/processing/worker/")).replace("\u00a0", " ")
    assert "1 of 2 slots" in text
    found = admin_client.get("/admin/processing/worker/", {"state": "lost"}).context["cl"].result_list
    assert list(found) == [lost]
    assert "Alive" in text_of(admin_client.get(f"/admin/processing/worker/{busy.pk}/change/"))


# Tokens


def test_a_token_never_shows_its_secret_or_its_hash(admin_client: Client) -> None:
    token, secret = access.make_token(User.objects.create_user("ada"), HOSTILE)
    for url in (TOKENS, f"{TOKENS}{token.pk}/change/", f"{TOKENS}{token.pk}/history/", f"{TOKENS}{token.pk}/delete/"):
        raw = admin_client.get(url).content.decode()
        assert secret not in raw
        assert token.token_hash not in raw
        assert "<script>alert" not in raw
    assert admin_client.get(f"{TOKENS}add/").status_code == 403


def test_revoking_ends_a_token_at_once(as_staff: Callable[..., Client]) -> None:
    token, secret = access.make_token(User.objects.create_user("ada"))
    client = as_staff("view_apitoken")
    act(client, TOKENS, "revoke_tokens", token)
    assert "/do/revoke/" not in text_of(client.get(f"{TOKENS}{token.pk}/change/"))
    access.of_token(secret)

    client = Client()
    client.force_login(staff("view_apitoken", "change_apitoken", name="hopper"))
    assert told(act(client, TOKENS, "revoke_tokens", token)) == ["1 revoked."]
    with pytest.raises(Unauthorized):
        access.of_token(secret)
    assert told(act(client, TOKENS, "revoke_tokens", token)) == ["1 had been revoked before."]
    other, _ = access.make_token(User.objects.create_user("bea"))
    assert told(client.post(f"{TOKENS}{other.pk}/do/revoke/", follow=True)) == ["1 revoked."]


def test_states_of_tokens_can_be_chosen(admin_client: Client) -> None:
    now, ada = timezone.now(), User.objects.create_user("ada")
    rows = {
        "valid": ApiToken.objects.create(user=ada, token_hash="1", expires_at=now + timedelta(days=1)),
        "expired": ApiToken.objects.create(user=ada, token_hash="2", expires_at=now),
        "revoked": ApiToken.objects.create(user=ada, token_hash="3", revoked_at=now),
    }
    for state, token in rows.items():
        assert list(admin_client.get(TOKENS, {"state": state}).context["cl"].result_list) == [token]


def test_deleting_an_account_keeps_its_uploads_and_jobs(admin_client: Client) -> None:
    ada = User.objects.create_user("ada")
    access.make_token(ada)
    upload, job = make_upload(user=ada, owner=f"user:{ada.pk}"), make_job(user=ada, owner=f"user:{ada.pk}")
    response = admin_client.post(f"/admin/auth/user/{ada.pk}/delete/", {"post": "yes"}, follow=True)
    assert response.status_code == 200
    assert not User.objects.filter(pk=ada.pk).exists()
    assert ApiToken.objects.count() == 0
    assert Upload.objects.get(pk=upload.pk).user is None
    assert Job.objects.get(pk=job.pk).user is None
    assert f"Account {ada.pk}, deleted" in text_of(admin_client.get(JOBS))
