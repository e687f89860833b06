"""The admin site itself: dashboard, its JSON, tabs, and colours that agree with the page's."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from config.environment import BASE_DIR
from processing.lifecycle import JobState
from processing.models import Job
from tests.unit.admin_rows import HOSTILE, make_job, make_worker, staff

pytestmark = pytest.mark.django_db

INDEX, LIVE = "/admin/", "/admin/live/"
CSS = BASE_DIR / "static" / "css"


def live(client: Client, **query: str) -> Any:
    response = client.get(LIVE, query)
    assert response.status_code == 200
    return response.json()


def test_the_dashboard_has_four_figures_and_the_newest_jobs(admin_client: Client) -> None:
    make_job("a.csv", JobState.RUNNING)
    make_job("b.csv", JobState.QUEUED)
    make_job("c.csv", JobState.FAILED, error_message="Row 17 is short")
    make_worker(silent=1)
    make_worker(silent=600)
    now = live(admin_client)
    assert now["figures"]["running"] == 1
    assert now["figures"]["waiting"] == 1
    assert now["figures"]["oldest"].startswith(", oldest ")
    assert now["figures"]["failed"] == 1
    assert now["figures"]["workers"] == "1 of 2"
    assert (now["failing"], now["missing"], now["stuck"]) == (True, True, False)
    assert [job["name"] for job in now["jobs"]] == ["c.csv", "b.csv", "a.csv"]
    assert now["jobs"][0] | {"took": ""} == {
        "id": str(Job.objects.get(name="c.csv").pk),
        "url": f"/admin/processing/job/{Job.objects.get(name='c.csv').pk}/change/",
        "name": "c.csv",
        "word": "Failed",
        "kind": "error",
        "took": "",
        "reason": "Row 17 is short",
    }
    page = admin_client.get(INDEX).content.decode()
    for piece in ("Running", "Waiting", "Failed, last hour", "Workers alive", "1 of 2", "Updated", "Row 17 is short"):
        assert piece in page, piece


def test_jobs_of_one_state_alone(admin_client: Client) -> None:
    make_job("a.csv", JobState.FAILED)
    make_job("b.csv", JobState.SUCCEEDED)
    now = live(admin_client, state="failed")
    assert [job["name"] for job in now["jobs"]] == ["a.csv"]
    counts = {chip["word"]: chip["count"] for chip in now["chips"]}
    assert counts == {"All": 2, "Waiting": 0, "Processing": 0, "Failed": 1, "Done": 1, "Cancelled": 0}
    assert [chip["word"] for chip in now["chips"] if chip["selected"]] == ["Failed"]
    assert len(live(admin_client, state="'; drop table")["jobs"]) == 2


def test_jobs_that_wait_with_no_worker_alive_are_told(admin_client: Client) -> None:
    assert live(admin_client)["stuck"] is False
    make_job(state=JobState.QUEUED)
    assert live(admin_client)["stuck"] is True
    assert "No worker is alive." in admin_client.get(INDEX).content.decode()
    make_worker(stopped_at=timezone.now())
    assert live(admin_client)["stuck"] is True
    make_worker()
    assert live(admin_client)["stuck"] is False


def test_the_figures_are_for_those_who_may_see_jobs(client: Client) -> None:
    make_job("secret.csv")
    assert client.get(LIVE).status_code == 302
    client.force_login(staff("view_worker"))
    assert client.get(LIVE).status_code == 403
    page = client.get(INDEX).content.decode()
    assert "secret.csv" not in page
    assert "data-dashboard" not in page
    client.force_login(staff("view_job", name="hopper"))
    assert client.get(LIVE).status_code == 200
    assert "secret.csv" in client.get(INDEX).content.decode()


def test_the_figures_are_never_cached(admin_client: Client) -> None:
    assert "no-store" in admin_client.get(LIVE).headers["Cache-Control"]


def test_the_figures_cost_five_queries_however_many_jobs(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        make_job(f"{number}.csv", JobState.QUEUED if number % 2 else JobState.FAILED)
    with django_assert_num_queries(7):  # two are for the session and the user
        assert len(live(admin_client)["jobs"]) == 20


def test_a_hostile_name_is_text(admin_client: Client) -> None:
    make_job(HOSTILE, JobState.FAILED, error_message=HOSTILE)
    assert live(admin_client)["jobs"][0]["name"] == '<script>alert("x")</script>⟨U+202E⟩gpj.exe␇'
    assert "<script>alert" not in admin_client.get(INDEX).content.decode()


def test_tabs_lead_to_what_one_may_see(admin_client: Client, client: Client) -> None:
    def tabs(page: Any) -> list[str]:
        (row,) = re.findall(r'<nav class="tabs".*?</nav>', page.content.decode(), re.DOTALL)
        return re.findall(r">([^<>]+)</a>", row)

    everything = ["Overview", "Jobs", "Uploads", "Workers", "API tokens", "Users", "Groups"]
    assert tabs(admin_client.get(INDEX)) == everything
    some = Client()
    some.force_login(staff("view_upload", "view_job"))
    assert tabs(some.get(INDEX)) == ["Overview", "Jobs", "Uploads"]
    assert tabs(some.get("/admin/uploads/upload/")) == ["Overview", "Jobs", "Uploads"]
    assert '<nav class="tabs"' not in client.get("/admin/login/").content.decode()


def test_no_page_has_inline_script_or_style(admin_client: Client) -> None:
    job = make_job(state=JobState.FAILED, traceback="x")
    urls = (INDEX, "/admin/processing/job/", f"/admin/processing/job/{job.pk}/change/", "/admin/auth/user/add/")
    for url in urls:
        response = admin_client.get(url)
        page = response.content.decode()
        assert "style-src 'self'" in response.headers["Content-Security-Policy"]
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page), url


@pytest.fixture
def tokens() -> Callable[[str, str], dict[str, str]]:
    def read(file: str, start: str) -> dict[str, str]:
        text = (CSS / file).read_text()
        block = text[text.index(start) :].partition("{")[2].partition("}")[0]
        return dict(re.findall(r"(--[\w-]+):\s*([^;]+);", block))

    return read


def test_the_themes_that_staff_choose_are_those_of_the_page(tokens: Callable[[str, str], dict[str, str]]) -> None:
    light = tokens("tokens.css", ":root {")
    dark = tokens("tokens.css", "  :root {\n    --bg: #0f1519")
    assert len(dark) > 10
    assert tokens("admin-theme.css", 'html[data-theme="dark"] {') == dark
    assert tokens("admin-theme.css", 'html[data-theme="light"] {') == {name: light[name] for name in dark}
