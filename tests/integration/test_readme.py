"""What README.md shows is run as it stands there."""

import re
import subprocess
from pathlib import Path

from tests.harness.process import python
from tests.harness.site import CHECKOUT
from tests.integration.conftest import Running


def blocks() -> list[str]:
    """The Python blocks of README.md, in order."""
    return re.findall(r"```python\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)


def test_the_ten_line_client(running: Running, tmp_path: Path) -> None:
    """Against a real server, with the address changed to this one's and nothing else."""
    client = blocks()[1]
    assert "ws://127.0.0.1:8000/ws" in client
    (tmp_path / "big.log").write_bytes(b"to be or not to be\n" * 40_000)
    done = subprocess.run(
        python("-c", client.replace("ws://127.0.0.1:8000/ws", running.ws_url)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == ["File chunk received"] * 3
    assert lines[3:5] == ["File transfer complete", "Ready for next task"]
    assert lines[5].startswith('Processed data: {"total": 240000')


def test_the_ten_line_processor(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(blocks()[0].replace('"word-count"', '"mine"'))
    script = (
        "import mine; from processing.testing import run;"
        "outcome = run(mine.word_count, b'to be or not to be', top=2);"
        "print(outcome.result, len(outcome.progress), len(outcome.partials))"
    )
    done = subprocess.run(
        python("-c", script),
        cwd=tmp_path,
        env={"PYTHONPATH": f"{CHECKOUT}:{tmp_path}"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout.strip() == "{'total': 6, 'top': [['to', 2], ['be', 2]]} 1 1", done.stderr
