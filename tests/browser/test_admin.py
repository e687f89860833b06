"""The admin in Chromium: what staff see and do, in both widths and both themes, under the strict CSP."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, Request, Route, expect

from tests.harness.browser import OpenPage, axe_violations, log_in
from tests.harness.site import Site

SEED = """
from processing.models import ApiToken, Artifact
from tests.unit.admin_rows import *
worker = make_worker()
upload = make_upload("x" * 1000 + ".csv")
failed = make_job(HOSTILE, JobState.FAILED, source=f"upload:{upload.pk}", error_code="bad_row", worker=worker,
    error_message="Row 17 has 2 columns, expected 3", traceback="Traceback:\\n  " + "x" * 500, params={"top": 3},
    processor="word-count")
done = make_job("valley.jpg", result={"note": HOSTILE, "long": "y" * 500})
Artifact.objects.create(job=done, attempt=1, name=HOSTILE, content_type="image/webp", size=20480, storage_name="s")
make_job("x" * 1000, progress={"done": 56, "total": 100, "message": "checking rows " * 9}, state=JobState.RUNNING)
for number in range(60):
    make_job(f"waiting-{number:02}.csv", JobState.QUEUED)
make_upload("half.iso", "receiving", size=50_000_000, offset=18_000_000)
ApiToken.objects.create(user=staff(name="bea"), label="nightly")
print("ids", failed.pk, done.pk, upload.pk, worker.pk)
"""
JOBS = "/admin/processing/job/"
LOOK = """hidden => {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""

pytestmark = pytest.mark.timeout(180)  # the first one pays for the template, the server and the rows


@dataclass
class Admin:
    """A server with rows in every state, and the addresses of some. All tests share it: they add rows and take none."""

    site: Site
    url: str
    session: str
    failed: str
    done: str
    upload: str
    worker: str

    async def enter(self, page: Page, path: str = "/admin/") -> list[str]:
        """Log in and go there; gives the list in which the polls of the page will stand."""
        polls: list[str] = []

        def note(request: Request) -> None:
            if "/admin/live/" in request.url:
                polls.append(request.url)

        page.on("request", note)
        await log_in(page, self.url, self.session)
        await page.goto(self.url + path)
        return polls

    def add_job(self, name: str, state: str) -> None:
        self.site.manage("shell", "-c", f"from tests.unit.admin_rows import *; make_job({name!r}, JobState.{state})")


@pytest.fixture(scope="module")
def admin(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    site = Site(tmp_path_factory.mktemp("admin"), template=sqlite_template)
    failed, done, upload, worker = site.manage("shell", "-c", SEED).stdout.rpartition("ids ")[2].split()
    session = site.login("ada", staff=True)
    with site.server(worker=False) as server:
        yield Admin(site, server.url, session, failed, done, upload, worker)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
async def test_every_page_is_sound(admin: Admin, open_page: OpenPage, width: int, scheme: str) -> None:
    """No axe violation, nothing wider than the screen, no word from the CSP (open_page looks at the console)."""
    page = await open_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    await admin.enter(page)
    for path in (
        "/admin/",
        JOBS,
        f"{JOBS}?q=nothing-has-this-name",
        f"{JOBS}{admin.failed}/change/",
        f"{JOBS}{admin.done}/change/",
        "/admin/uploads/upload/",
        f"/admin/uploads/upload/{admin.upload}/change/",
        "/admin/processing/worker/",
        f"/admin/processing/worker/{admin.worker}/change/",
        "/admin/processing/apitoken/",
    ):
        await page.goto(admin.url + path)
        assert await axe_violations(page) == [], path
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path


async def test_the_log_in_page_is_sound(admin: Admin, page: Page) -> None:
    await page.goto(f"{admin.url}/admin/")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in to the admin")
    assert await axe_violations(page) == []


async def test_a_row_has_two_lines_where_it_is_narrow(admin: Admin, open_page: OpenPage) -> None:
    page = await open_page(viewport={"width": 360, "height": 800})
    await admin.enter(page, JOBS)
    heights = await page.locator("#result_list tbody tr").evaluate_all("rows => rows.map((row) => row.offsetHeight)")
    assert max(heights) < 80
    assert await page.locator("tbody .field-file").first.bounding_box() is not None


async def test_the_dashboard_keeps_itself_up_to_date(admin: Admin, page: Page) -> None:
    await page.clock.install()
    await admin.enter(page)
    rows = page.locator("[data-job]")
    await expect(rows).to_have_count(20)
    kept = rows.nth(3).get_by_role("link")
    name = await kept.text_content()
    await kept.focus()
    failed = page.locator('[data-count="failed"]')
    before = int(await failed.text_content() or 0)
    admin.add_job("new<b>.csv", "FAILED")
    await page.clock.fast_forward(5000)
    await expect(rows.first).to_contain_text("new<b>.csv")
    await expect(rows).to_have_count(20)
    await expect(failed).to_have_text(str(before + 1))
    await expect(rows.nth(4).get_by_role("link")).to_have_text(name or "")
    await expect(rows.nth(4).get_by_role("link")).to_be_focused()


async def test_the_filter_of_the_dashboard_holds_while_it_refreshes(admin: Admin, page: Page) -> None:
    await page.clock.install()
    await admin.enter(page)
    await page.get_by_role("navigation", name="Jobs by state").get_by_role("link", name="Cancelled").click()
    await expect(page.get_by_role("link", name="Cancelled")).to_have_attribute("aria-current", "true")
    rows = page.locator("[data-job]")
    before = await rows.count()
    admin.add_job("stopped.csv", "CANCELLED")
    await page.clock.fast_forward(5000)
    await expect(rows).to_have_count(before + 1)
    await expect(page.locator("[data-nothing]")).to_be_hidden()


async def test_nobody_asks_while_nobody_looks(admin: Admin, page: Page) -> None:
    await page.clock.install()
    polls = await admin.enter(page)
    async with page.expect_response("**/admin/live/**"):
        await page.clock.fast_forward(5000)
    seen = len(polls)
    await page.evaluate(LOOK, True)
    await page.clock.run_for(60_000)
    assert len(polls) == seen
    async with page.expect_response("**/admin/live/**"):
        await page.evaluate(LOOK, False)


async def test_a_server_that_does_not_answer_is_told_and_asked_again(
    admin: Admin, page: Page, page_errors: list[str]
) -> None:
    await page.clock.install()
    await admin.enter(page)

    async def refuse(route: Route) -> None:
        await route.abort()

    await page.route("**/admin/live/**", refuse)
    await page.clock.fast_forward(5000)
    stamp = page.locator("[data-stamp]")
    await expect(stamp).to_contain_text("The server does not answer. As of")
    await page.unroute("**/admin/live/**")
    await page.clock.fast_forward(5000)
    await expect(stamp).to_contain_text("Updated")
    assert all("ERR_FAILED" in error for error in page_errors)
    page_errors.clear()


async def test_logged_out_in_another_tab_is_told(admin: Admin, page: Page) -> None:
    await page.clock.install()
    polls = await admin.enter(page)
    await page.context.clear_cookies()
    await page.clock.fast_forward(5000)
    await expect(page.locator("[data-stamp]")).to_contain_text("You are logged out. As of")
    seen = len(polls)
    await page.clock.run_for(30_000)
    assert len(polls) == seen


async def test_cancel_many_and_retry_one(admin: Admin, page: Page) -> None:
    await admin.enter(page, f"{JOBS}?state=queued&q=waiting")
    for name in ("waiting-59.csv", "waiting-58.csv"):
        await page.get_by_role("checkbox", name=f"Choose {name}").check()
    await expect(page.locator(".action-counter")).to_have_text("2 of 50 selected")
    await page.get_by_role("combobox", name="Action").select_option("Cancel the chosen jobs")
    await page.get_by_role("button", name="Go").click()
    await expect(page.locator(".messagelist")).to_have_text("2 cancelled.")
    await page.goto(f"{admin.url}{JOBS}{admin.failed}/change/")
    await page.get_by_role("button", name="Process again").click()
    await expect(page.locator(".messagelist")).to_have_text("1 job queued again. This is the new one.")
    await expect(page.locator(".title-line .pill")).to_have_text("Waiting")
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator(".title-line .pill")).to_have_text("Cancelled")


async def test_the_theme_is_the_systems_until_one_chooses(admin: Admin, open_page: OpenPage) -> None:
    page = await open_page(color_scheme="dark")
    await admin.enter(page)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert await page.evaluate(ground) == "rgb(15, 21, 25)"
    toggle = page.get_by_role("button", name="Toggle theme")
    await toggle.click()
    assert await page.evaluate(ground) == "rgb(247, 249, 250)"
    await page.goto(admin.url + JOBS)
    assert await page.evaluate(ground) == "rgb(247, 249, 250)"
    assert await axe_violations(page) == []
    await toggle.click()
    assert await page.evaluate(ground) == "rgb(15, 21, 25)"


async def test_the_account_menu_works_with_the_keyboard(admin: Admin, page: Page) -> None:
    await admin.enter(page)
    button = page.get_by_role("button", name="Account: ada")
    leave = page.get_by_role("button", name="Log out")
    await button.press("Enter")
    await expect(leave).to_be_visible()
    await expect(page.get_by_role("link", name="Change password")).to_be_visible()
    assert await axe_violations(page) == []
    await page.keyboard.press("Escape")
    await expect(leave).to_be_hidden()


async def test_filters_open_and_narrow_the_list(admin: Admin, page: Page) -> None:
    await admin.enter(page, JOBS)
    await page.get_by_text("Filters").click()
    await page.get_by_role("navigation", name="Filters").get_by_role("link", name="inspect").click()
    await expect(page).to_have_url(f"{admin.url}{JOBS}?processor=inspect")
    await page.get_by_role("searchbox").fill("valley")
    await page.keyboard.press("Enter")
    await expect(page.locator("#result_list tbody tr")).to_have_count(1)
