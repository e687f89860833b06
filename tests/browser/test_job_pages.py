"""The history and one job's page against a real server."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.parts import PATIENCE, choose, expect_pill
from tests.harness.browser import log_in
from tests.harness.fixtures import MakeSite
from tests.harness.site import Server

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "cities.csv"
    file.write_text("city,population\nSion,34978\nAarau,21506\n")
    return file


async def open_job(page: Page, url: str, file: Path, processor: str, word: str, **params: object) -> str:
    """Upload a file, wait for `word`, and open its job's page; gives the address."""
    await page.goto(url)
    await choose(page, [file], processor, **params)
    found = await expect_pill(page, file.name, word)
    href = await found.locator(".name a").get_attribute("href")
    assert href
    await page.goto(url + href)
    return url + href


async def test_the_history_lives(page: Page, pages: Server, small: Path) -> None:
    await page.goto(pages.url)
    await choose(page, [small], "slow", Seconds=5)
    await expect_pill(page, "cities.csv", "Processing")
    await page.goto(f"{pages.url}/jobs/")
    found = page.locator(".row", has_text="cities.csv")
    await expect(found.locator(".pill")).to_contain_text("Processing")
    await expect(found.locator(".detail")).to_contain_text("Step ")
    await expect(found.locator(".pill")).to_have_text("Done", timeout=PATIENCE)
    await page.get_by_role("link", name="Done 1").click()
    await expect(page.locator(".row")).to_have_count(1)
    await page.get_by_role("link", name="cities.csv").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("cities.csv")


async def test_a_running_job_grows_before_ones_eyes(page: Page, pages: Server, small: Path) -> None:
    await open_job(page, pages.url, small, "partials", "Processing", Seconds=5)
    await expect(page.locator("#state")).to_contain_text("Processing")
    await expect(page.get_by_role("cell", name="City 1", exact=True)).to_be_visible()
    await expect(page.locator("#result-title")).to_contain_text("(partial)")
    await expect(page.get_by_role("region", name="Log")).to_contain_text("read row 1")
    await expect(page.locator("#state")).to_have_text("Done", timeout=PATIENCE)
    await expect(page.locator("#result-title")).to_have_text("Result, 20 rows")
    titles = page.locator("#timeline li")
    await expect(titles.first).to_contain_text("Uploaded, 39 bytes")
    await expect(titles.nth(1)).to_contain_text("Queued")
    await expect(titles.last).to_contain_text("Done")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="rows.csv").click()
    assert Path(await (await download.value).path()).read_text().startswith("city,population\n")


async def test_a_failed_job_shows_the_reason_first_and_keeps_what_it_found(
    page: Page, pages: Server, small: Path
) -> None:
    address = await open_job(page, pages.url, small, "fail-at", "Processing failed", Seconds=0.1)
    reason = page.locator("#reason")
    await expect(reason).to_contain_text("Row 17 has 2 columns, expected 3.")
    await expect(reason).to_contain_text("16 rows were found before it and are kept below.")
    await expect(page.get_by_role("cell", name="City 16", exact=True)).to_be_visible()
    await expect(page.get_by_role("region", name="Log")).to_contain_text("row 17")
    await expect(page.locator("#timeline li").last).to_contain_text("Failed")
    async with page.expect_download() as download:
        await reason.get_by_role("link", name="Download original").click()
    assert Path(await (await download.value).path()).read_text() == small.read_text()
    await reason.get_by_role("button", name="Process again").click()
    await page.wait_for_url(lambda url: url != address)
    await expect(page.get_by_role("link", name="the job before")).to_be_visible()
    await expect(page.locator("#state")).to_have_text("Processing failed", timeout=PATIENCE)


async def test_another_processor_on_the_same_file(page: Page, pages: Server, small: Path) -> None:
    address = await open_job(page, pages.url, small, "slow", "Done", Seconds=0.1, Steps=4)
    await expect(page.get_by_label("Steps", exact=True)).to_have_value("4")
    await page.get_by_label("Process again with").select_option("word-count")
    await page.get_by_role("button", name="Process", exact=True).click()
    await page.wait_for_url(lambda url: url != address)
    await expect(page.locator("#state")).to_have_text("Done", timeout=PATIENCE)
    await expect(page.locator("#result")).to_contain_text("Total")


async def test_cancel_on_the_jobs_page(page: Page, pages: Server, small: Path) -> None:
    await open_job(page, pages.url, small, "slow", "Processing", Seconds=300)
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("#state")).to_have_text("Cancelled", timeout=PATIENCE)
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


async def test_delete_asks_first_and_then_all_is_gone(
    page: Page, pages: Server, small: Path, page_errors: list[str]
) -> None:
    address = await open_job(page, pages.url, small, "inspect", "Done")
    await page.get_by_role("button", name="Delete file and results").click()
    await page.get_by_role("button", name="Keep").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Delete file and results").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.wait_for_url("**/jobs/")
    await expect(page.get_by_text("Nothing has been processed yet.")).to_be_visible()
    await page.goto(address)
    await expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    page_errors.clear()  # the browser notes the 404


async def test_log_in_and_out(page: Page, make_site: MakeSite) -> None:
    site = make_site()
    site.login("ada", password="correct horse", staff=True)
    with site.server(worker=False) as server:
        await page.goto(f"{server.url}/jobs/")
        await page.get_by_role("banner").get_by_role("link", name="Log in").click()
        await page.get_by_label("User name").fill("ada")
        await page.get_by_label("Password").fill("wrong")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("alert")).to_contain_text("correct username and password")
        await page.get_by_label("Password").fill("correct horse")
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url("**/jobs/")
        await expect(page.get_by_role("link", name="Admin")).to_be_visible()
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("link", name="Log in")).to_be_visible()
        await page.goto("about:blank")


async def test_the_traceback_is_there_for_staff_only(page: Page, make_site: MakeSite, small: Path) -> None:
    site = make_site(processors="tests.processors")
    staff = site.login("ada", staff=True)
    with site.server() as server:
        await log_in(page, server.url, staff)
        await open_job(page, server.url, small, "crash", "Processing failed")
        await page.get_by_text("Traceback, for staff").click()
        await expect(page.get_by_role("region", name="Traceback")).to_contain_text("an inner detail")
        await log_in(page, server.url, site.login("bea"))
        await open_job(page, server.url, small, "crash", "Processing failed")
        await expect(page.locator("#reason")).to_be_visible()
        await expect(page.get_by_text("Traceback")).to_have_count(0)
        await page.goto("about:blank")
