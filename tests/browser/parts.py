"""What the tests of the pages do again and again."""

from pathlib import Path
from typing import Any

from playwright.async_api import ElementHandle, Locator, Page, WebSocketRoute, expect

from tests.harness.browser import OpenPage

PROCESSORS = "tests.processors"
PATIENCE = 30_000
WIDE: Any = {"width": 1440, "height": 900}
NARROW: Any = {"width": 360, "height": 740}
HOSTILE = '<img src=x onerror=alert(1)> "quoted" \u202egpj.csv'


async def row(page: Page, name: str) -> Locator:
    """The list's row of a file, once it is there."""
    found = page.locator("#list > .row", has=page.locator("bdi", has_text=name))
    await expect(found).to_be_visible()
    return found


async def expect_pill(page: Page, name: str, word: str, timeout: float = PATIENCE) -> Locator:
    """Wait until a row says `word`; gives the row."""
    found = await row(page, name)
    await expect(found.locator(".pill")).to_contain_text(word, timeout=timeout)
    return found


async def choose(page: Page, files: list[Path], processor: str = "", **params: object) -> None:
    """Pick the processor, fill in its options by their labels, and choose the files."""
    if processor:
        await page.select_option("#processor", processor)
    for label, value in params.items():
        await page.get_by_label(label, exact=True).fill(str(value))
    await page.set_input_files("#chooser", [str(file) for file in files])


async def drop(page: Page, files: dict[str, str]) -> None:
    """Drop files, given as name and text, onto the page: the events that a browser sends."""
    script = """files => {
        const transfer = new DataTransfer();
        for (const [name, text] of Object.entries(files)) transfer.items.add(new File([text], name));
        return transfer;
    }"""
    transfer: ElementHandle | Any = await page.evaluate_handle(script, files)
    for event in ("dragenter", "dragover", "drop"):
        await page.dispatch_event("main", event, {"dataTransfer": transfer})


class Dam:
    """Stands between the page and the server's socket; holds the bytes of files back, or cuts the socket."""

    def __init__(self) -> None:
        self.frames_let_through = 0
        self.most_frames: int | None = None
        self.sockets: list[WebSocketRoute] = []
        self.closed = False

    async def build(self, page: Page) -> None:
        """Before the page is opened."""
        await page.route_web_socket("**/ws", self._take)

    async def cut(self, code: int = 1012) -> None:
        """End the page's newest socket, and refuse new ones until `closed` is False."""
        self.closed = True
        await self.sockets[-1].close(code=code)

    async def _take(self, socket: WebSocketRoute) -> None:
        if self.closed:
            await socket.close(code=1012)
            return
        self.sockets.append(socket)
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if isinstance(message, bytes):
                if self.most_frames is not None and self.frames_let_through >= self.most_frames:
                    return
                self.frames_let_through += 1
            server.send(message)

        socket.on_message(pass_on)


async def has_no_overflow(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


async def fill_list(open_page: OpenPage, url: str, tmp_path: Path, **options: Any) -> Page:
    """A page whose list has a row that is done, one that failed, one that is processed, and one with a hostile name."""
    page = await open_page(**options)
    await page.goto(url)
    for name in ("cities.csv", "bad.csv", "long.csv"):
        (tmp_path / name).write_text("city,population\nSion,34978\n")
    await choose(page, [tmp_path / "cities.csv"], "partials", Seconds=0.1)
    await choose(page, [tmp_path / "bad.csv"], "fail-at", Seconds=0.1)
    await page.select_option("#processor", "inspect")
    await drop(page, {HOSTILE: "x"})
    await expect_pill(page, "cities.csv", "Done")
    await expect_pill(page, "bad.csv", "Processing failed")
    await expect_pill(page, "gpj.csv", "Done")
    await choose(page, [tmp_path / "long.csv"], "slow", Seconds=300)
    await expect_pill(page, "long.csv", "Processing")
    return page


async def stop_long_job(page: Page) -> None:
    """End what `fill_list` began, so that it does not hold a worker's place."""
    await page.get_by_role("button", name="Cancel long.csv").click()
    await expect_pill(page, "long.csv", "Cancelled")
