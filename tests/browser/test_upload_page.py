"""The upload page against a real server: what a person does, and sees."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.parts import PATIENCE, PROCESSORS, Dam, choose, drop, expect_pill, row
from tests.harness.browser import OpenPage
from tests.harness.fixtures import MakeSite
from tests.harness.site import Server

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    file = tmp_path / "archive.zip"
    file.write_bytes(bytes(range(256)) * 40_000)
    return file


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "cities.csv"
    file.write_text("city,population\nSion,34978\nAarau,21506\n")
    return file


async def test_drop_watch_and_read(page: Page, pages: Server) -> None:
    await page.goto(pages.url)
    await expect(page.get_by_text("Choose files or drop them anywhere on this page")).to_be_visible()
    await page.select_option("#processor", "partials")
    await page.get_by_label("Seconds", exact=True).fill("3")
    await drop(page, {"cities.csv": "city,population\nSion,34978\n", "towns.csv": "city\n"})
    found = await expect_pill(page, "cities.csv", "Processing")
    await expect(found.locator(".detail")).to_contain_text("Step 2 of 3, checking rows")
    aside = page.get_by_role("complementary", name="Results so far")
    await expect(aside.get_by_role("cell", name="City 1", exact=True).first).to_be_visible()
    await expect(found.locator(".pill")).to_contain_text("Processing")
    await expect_pill(page, "cities.csv", "Done")
    await expect_pill(page, "towns.csv", "Done")
    await expect(page.locator("#summary")).to_have_text("2 of 2 done")
    await expect(page.locator("#spoken")).to_have_text("2 of 2 done", timeout=PATIENCE)
    await expect(found.locator(".detail")).to_contain_text("2 results")
    await found.get_by_role("link", name="2 results").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("cities.csv")
    await expect(page.get_by_role("cell", name="City 20", exact=True)).to_be_visible()


async def test_after_adding_the_focus_is_on_the_list(page: Page, pages: Server, small: Path) -> None:
    await page.goto(pages.url)
    await choose(page, [small])
    await expect(page.locator("#list")).to_be_focused()


async def test_reload_in_mid_job_finds_it_again(page: Page, pages: Server, small: Path) -> None:
    await page.goto(pages.url)
    await choose(page, [small], "slow", Seconds=6)
    await expect_pill(page, "cities.csv", "Processing")
    await page.reload()
    await expect_pill(page, "cities.csv", "Processing")
    await expect_pill(page, "cities.csv", "Done")
    await page.reload()
    await expect_pill(page, "cities.csv", "Done")
    await page.get_by_role("button", name="Clear finished").click()
    await expect(page.get_by_text("Choose files or drop them anywhere")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("Choose files or drop them anywhere")).to_be_visible()


async def test_cancel_while_it_is_processed(page: Page, pages: Server, small: Path) -> None:
    await page.goto(pages.url)
    await choose(page, [small], "slow", Seconds=300)
    await expect_pill(page, "cities.csv", "Processing")
    await page.get_by_role("button", name="Cancel cities.csv").click()
    found = await expect_pill(page, "cities.csv", "Cancelled")
    await expect(found.get_by_role("button")).to_have_count(0)


async def test_cancel_while_it_travels(page: Page, pages: Server, big: Path) -> None:
    dam = Dam()
    dam.most_frames = 2
    await dam.build(page)
    await page.goto(pages.url)
    await choose(page, [big])
    await expect_pill(page, "archive.zip", "Uploading")
    await page.get_by_role("button", name="Cancel archive.zip").click()
    await expect_pill(page, "archive.zip", "Cancelled")
    await page.reload()
    await expect(page.get_by_text("Choose files or drop them anywhere")).to_be_visible()


async def test_a_failure_says_why_and_can_be_tried_again(page: Page, pages: Server, small: Path) -> None:
    await page.goto(pages.url)
    await choose(page, [small], "fail-at", Seconds=0.2)
    found = await expect_pill(page, "cities.csv", "Processing failed")
    await expect(found.locator("b", has_text="Row 17 has 2 columns, expected 3.")).to_be_visible()
    await expect(found).to_contain_text("The file is uploaded; nothing needs to be sent again.")
    await found.get_by_role("button", name="Show log").click()
    await expect(found.get_by_role("region", name="Log")).to_contain_text("row 17: 2 columns, expected 3")
    await page.reload()
    await page.get_by_role("button", name="Show log").click()
    await expect(found.get_by_role("region", name="Log")).to_contain_text("row 17: 2 columns, expected 3")
    first = await found.get_by_role("link").first.get_attribute("href")
    await found.get_by_role("button", name="Process again").click()
    await expect(found.get_by_role("link").first).not_to_have_attribute("href", first or "", timeout=PATIENCE)
    await expect_pill(page, "cities.csv", "Processing failed")


async def test_a_crash_shows_no_inner_detail(page: Page, pages: Server, small: Path) -> None:
    await page.goto(pages.url)
    await choose(page, [small], "crash")
    found = await expect_pill(page, "cities.csv", "Processing failed")
    await expect(found).not_to_contain_text("Traceback")


async def test_pause_and_continue(page: Page, pages: Server, big: Path) -> None:
    dam = Dam()
    dam.most_frames = 2
    await dam.build(page)
    await page.goto(pages.url)
    await choose(page, [big])
    await expect_pill(page, "archive.zip", "Uploading")
    await page.get_by_role("button", name="Pause archive.zip").click()
    found = await expect_pill(page, "archive.zip", "Paused")
    await expect(found.locator(".detail")).to_contain_text("of 10.2 MB saved on the server")
    dam.most_frames = None
    await dam.cut()
    dam.closed = False
    await page.get_by_role("button", name="Continue archive.zip").click()
    await expect_pill(page, "archive.zip", "Done")


async def test_a_lost_connection_loses_nothing(page: Page, pages: Server, big: Path) -> None:
    dam = Dam()
    dam.most_frames = 3
    await dam.build(page)
    await page.goto(pages.url)
    await choose(page, [big])
    found = await expect_pill(page, "archive.zip", "Uploading")
    await expect(found.locator(".detail")).not_to_contain_text("0 of 10.2 MB")
    dam.most_frames = None
    await dam.cut()
    await expect_pill(page, "archive.zip", "Waiting for connection")
    await expect(found.locator(".detail")).to_contain_text("nothing is lost")
    await expect(found.locator(".detail")).to_contain_text("trying again")
    dam.closed = False
    await expect_pill(page, "archive.zip", "Done")
    assert len(dam.sockets) == 2


async def test_reload_in_mid_upload_asks_for_the_file(page: Page, pages: Server, big: Path, small: Path) -> None:
    dam = Dam()
    dam.most_frames = 3
    await dam.build(page)
    await page.goto(pages.url)
    await choose(page, [big])
    found = await expect_pill(page, "archive.zip", "Uploading")
    await expect(found.locator(".detail")).not_to_contain_text("0 of 10.2 MB")
    dam.most_frames = None
    await page.reload()
    found = await expect_pill(page, "archive.zip", "Choose the file again")
    await expect(found.locator(".detail")).to_contain_text("to continue from ")
    async with page.expect_file_chooser() as chooser:
        await found.get_by_role("button", name="Choose file archive.zip").click()
    await (await chooser.value).set_files(str(small))
    await expect(found.get_by_role("status")).to_have_text("This is another file: it differs in its name.")
    before = dam.frames_let_through
    await choose(page, [big])
    await expect_pill(page, "archive.zip", "Done")
    await expect(page.locator("#list > .row")).to_have_count(1)
    assert dam.frames_let_through > before


async def test_options_are_checked_before_anything_is_sent(page: Page, pages: Server, small: Path) -> None:
    await page.goto(pages.url)
    await choose(page, [small], "slow", Steps=0)
    await expect(page.get_by_role("alert").filter(has_text="Steps must be at least 1.")).to_be_visible()
    await expect(page.get_by_label("Steps", exact=True)).to_be_focused()
    await expect(page.locator("#list > .row")).to_have_count(0)
    await choose(page, [small], "slow", Steps=3, Seconds=0.1)
    await expect_pill(page, "cities.csv", "Done")
    aside = page.get_by_role("complementary", name="Results so far")
    await expect(aside.locator("dt", has_text="Steps").locator("+ dd")).to_have_text("3")


async def test_the_sample(page: Page, pages: Server) -> None:
    await page.goto(pages.url)
    await page.get_by_role("button", name="Try elements.csv").click()
    await expect_pill(page, "elements.csv", "Done")


async def test_a_file_above_the_limit_is_not_sent(page: Page, make_site: MakeSite, big: Path, small: Path) -> None:
    with make_site(upload_bytes=1_000_000).server() as server:
        await page.goto(server.url)
        await expect(page.locator("#processor option").nth(1)).to_be_attached()
        await choose(page, [big, small])
        found = await expect_pill(page, "archive.zip", "Upload failed")
        await expect(found).to_contain_text("This file has 10.2 MB; at most 1 MB are allowed.")
        await expect_pill(page, "cities.csv", "Done")
        await found.get_by_role("button", name="Remove from the list").click()
        await expect(page.locator("#list > .row")).to_have_count(1)
        await page.goto("about:blank")


async def test_an_empty_file(page: Page, pages: Server, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    await page.goto(pages.url)
    await choose(page, [tmp_path / "empty.txt"])
    found = await expect_pill(page, "empty.txt", "Done")
    await expect(found.locator(".detail")).to_contain_text("0 bytes")


async def test_pictures_are_shown(page: Page, pages: Server) -> None:
    await page.goto(pages.url)
    await choose(page, [Path(__file__).parents[1] / "data" / "photo.jpg"], "thumbnail")
    found = await expect_pill(page, "photo.jpg", "Done")
    await expect(found.locator(".thumb img")).to_be_visible()
    picture = page.get_by_role("complementary", name="Results so far").get_by_role("img").first
    await expect(picture).to_be_visible()
    await expect(picture).to_have_js_property("complete", True)
    assert await picture.evaluate("image => image.naturalWidth") > 0


async def test_names_are_text(page: Page, pages: Server) -> None:
    await page.goto(pages.url)
    await drop(
        page, {"<img src=x onerror=alert(1)>.txt": "a", "photo\u202egpj.exe": "b", "\u05e7\u05d5\u05d1\u05e5.txt": "c"}
    )
    await expect_pill(page, "<img src=x onerror=alert(1)>.txt", "Done")
    await expect_pill(page, "photo⟨U+202E⟩gpj.exe", "Done")
    await expect_pill(page, "\u05e7\u05d5\u05d1\u05e5.txt", "Done")
    assert await page.locator("#list img").count() == 0


async def test_more_than_fifty_are_a_window_with_failures_first(page: Page, pages: Server, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("a\n")
    await page.goto(pages.url)
    await choose(page, [bad], "fail-at", Seconds=0)
    await expect_pill(page, "bad.csv", "Processing failed")
    await page.select_option("#processor", "")
    await drop(page, {f"file-{n:02}.txt": f"{n}" for n in range(60)})
    await expect(page.locator("#list > .row")).to_have_count(50)
    await expect(page.locator("#list > .row").first).to_contain_text("bad.csv")
    await expect(page.locator("#rest-text")).to_have_text("Showing 50 of 61, failures first")
    await page.get_by_role("button", name="Show 50 more").click()
    await expect(page.locator("#list > .row")).to_have_count(61)
    await expect(page.locator("#summary")).to_have_text("60 of 61 done · 1 failed", timeout=80_000)


async def test_at_most_three_travel_at_once(page: Page, pages: Server, tmp_path: Path) -> None:
    dam = Dam()
    dam.most_frames = 0
    await dam.build(page)
    await page.goto(pages.url)
    for n in range(5):
        (tmp_path / f"part-{n}.bin").write_bytes(b"x" * 9_000_000)
    await choose(page, [tmp_path / f"part-{n}.bin" for n in range(5)])
    await expect_pill(page, "part-2.bin", "Uploading")
    found = await expect_pill(page, "part-4.bin", "Waiting")
    await expect(found.locator(".detail")).to_have_text("2nd in line")
    await page.get_by_role("button", name="Pause all").click()
    await expect_pill(page, "part-0.bin", "Paused")
    await expect_pill(page, "part-4.bin", "Paused")
    dam.most_frames = None
    await dam.cut()
    dam.closed = False
    await page.get_by_role("button", name="Continue all").click()
    for n in range(5):
        await expect_pill(page, f"part-{n}.bin", "Done")


async def test_where_nobody_owns_it_the_browser_remembers(page: Page, make_site: MakeSite, small: Path) -> None:
    with make_site(processors=PROCESSORS, anonymous_sessions=False).server() as server:
        await page.goto(server.url)
        await choose(page, [small], "partials", Seconds=0.2)
        found = await expect_pill(page, "cities.csv", "Done")
        await expect(found.get_by_role("link")).to_have_count(0)
        aside = page.get_by_role("complementary", name="Results so far")
        await expect(aside.get_by_role("cell", name="City 20", exact=True)).to_be_visible()
        await page.reload()
        await expect_pill(page, "cities.csv", "Done")
        await expect(aside.get_by_role("cell", name="City 20", exact=True)).to_be_visible()
        async with page.expect_download() as download:
            await aside.get_by_role("link", name="rows.csv").click()
        assert Path(await (await download.value).path()).read_text().startswith("city,population\nCity 1,1000\n")
        await page.goto("about:blank")


async def test_two_browsers_never_see_each_others_files(open_page: OpenPage, pages: Server, small: Path) -> None:
    one, other = await open_page(), await open_page()
    await one.goto(pages.url)
    await choose(one, [small])
    await expect_pill(one, "cities.csv", "Done")
    await other.goto(pages.url)
    await expect(other.get_by_text("Choose files or drop them anywhere")).to_be_visible()
    await other.goto(f"{pages.url}/jobs/")
    await expect(other.get_by_text("Nothing has been processed yet.")).to_be_visible()
    assert await (await row(one, "cities.csv")).count() == 1
