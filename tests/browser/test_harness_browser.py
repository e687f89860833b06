"""The browser of the harness: it runs, it sees what a page complains of, and axe finds what is wrong."""

from playwright.async_api import Page, Route, expect

from tests.harness.browser import OpenPage, axe_violations, log_in

ADDRESS = "http://page.test/"
GOOD = "<!doctype html><html lang=en><title>t</title><link rel=icon href='data:,'><main><h1>Hello</h1></main>"
BAD = GOOD + "<img src='data:,'><script>throw new Error('broken')</script>"


async def _show(page: Page, html: str) -> None:
    async def answer(route: Route) -> None:
        headers = {"Content-Security-Policy": "style-src 'none'"}
        cookie = route.request.headers.get("cookie", "")
        await route.fulfill(body=f"{html}<p id=cookie>{cookie}</p>", content_type="text/html", headers=headers)

    await page.route("**/*", answer)
    await page.goto(ADDRESS)


async def test_a_good_page_has_no_errors_and_no_violations(page: Page) -> None:
    await log_in(page, ADDRESS, "secret")
    await _show(page, GOOD)
    await expect(page.get_by_role("heading")).to_have_text("Hello")
    assert await axe_violations(page, "main") == []
    await expect(page.locator("#cookie")).to_have_text("sessionid=secret")


async def test_a_page_that_throws_is_noticed(page: Page, page_errors: list[str]) -> None:
    await _show(page, BAD)
    await expect(page.get_by_role("heading")).to_have_text("Hello")
    assert any("broken" in error for error in page_errors)
    assert any("image-alt (critical)" in violation for violation in await axe_violations(page))
    page_errors.clear()


async def test_a_violated_policy_is_noticed(page: Page, page_errors: list[str]) -> None:
    await _show(page, GOOD + "<p style='color: red'>red</p>")
    assert any("Content Security Policy" in error for error in page_errors)
    page_errors.clear()


async def test_two_profiles_share_nothing(open_page: OpenPage) -> None:
    one, other = await open_page(), await open_page(viewport={"width": 360, "height": 740})
    await log_in(one, ADDRESS, "secret")
    await _show(other, GOOD)
    assert await other.inner_text("#cookie") == ""
    assert await other.evaluate("innerWidth") == 360
