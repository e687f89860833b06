"""The scripts of the pages: their own tests under Node.js, and what holds for them as files."""

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from config.staticfiles import COMMENTS
from tests.unit.javascript_modules import STATIC, closure, preloads

ROOT = STATIC.parent
TESTS = sorted((Path(__file__).parent / "js").glob("*.test.js"))
SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
PAGES = ("upload", "jobs", "job")
STYLES = ["css/tokens.css", "css/base.css", "css/files.css", "css/values.css", "css/jobs.css"]
HEADER_BYTES = 420
"""What the headers of one answer take; measured on the server."""
MOST_TRANSFERRED = 60_000

node = shutil.which("node")
needs_node = pytest.mark.skipif(node is None, reason="Node.js is not installed")


@needs_node
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_under_node(file: Path) -> None:
    assert node
    done = subprocess.run(
        [node, "--test", str(file)], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_node
@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: str(file.relative_to(STATIC)))
def test_syntax_with_and_without_comments(file: Path, tmp_path: Path) -> None:
    assert node
    bare = tmp_path / "bare.mjs"
    bare.write_bytes(COMMENTS.sub(b"", file.read_bytes()))
    for one in (file, bare):
        done = subprocess.run([node, "--check", str(one)], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: str(file.relative_to(STATIC)))
def test_never_markup_from_data(file: Path) -> None:
    source = file.read_text()
    assert source.startswith("// @ts-check\n")
    forbidden = re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setAttribute\(.style", source
    )
    assert forbidden is None, file.name


@pytest.mark.parametrize("page", PAGES)
def test_a_page_preloads_just_what_it_imports(page: str) -> None:
    template = ROOT / "templates" / "modules" / f"{page}.html"
    assert template.read_text() == preloads(f"{page}-page.js"), f"write {template.name} anew: see preloads()"


def test_the_closure_follows_imports() -> None:
    modules = closure("upload-page.js")
    assert "js/headrace/frames.js" in modules
    assert "js/page/words.js" in modules
    assert "js/page/timeline.js" not in modules


def test_no_import_goes_round() -> None:
    """A circle would have no hash: each name would depend on the other."""
    for script in SCRIPTS:
        entry = str(script.relative_to(STATIC / "js"))
        assert f"js/{entry}" not in closure(entry), entry


def test_the_library_imports_nothing_of_the_page() -> None:
    for script in (STATIC / "js" / "headrace").glob("*.js"):
        assert all(module.startswith("js/headrace/") for module in closure(f"headrace/{script.name}")), script.name


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_transfers(page: str) -> None:
    files = [f"js/{page}-page.js", *closure(f"{page}-page.js"), *STYLES]
    sizes = [len(gzip.compress(COMMENTS.sub(b"", (STATIC / file).read_bytes()))) + HEADER_BYTES for file in files]
    assert sum(sizes) < MOST_TRANSFERRED


def test_comments_are_left_out_and_nothing_else() -> None:
    source = (
        b'/** a\n * b */\nconst a = "/* no */"; // stays\n  // goes\n  const b = `x`; /* stays */\n/* goes */\nlet c;\n'
    )
    assert COMMENTS.sub(b"", source) == b'const a = "/* no */"; // stays\n  const b = `x`; /* stays */\nlet c;\n'
