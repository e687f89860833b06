"""Imports run one way (docs/architecture.md); the contracts are in pyproject.toml."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("config", "uploads", "processing")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


def test_imports_run_one_way() -> None:
    done = lint(CHECKOUT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("processing/models.py", "import uploads.models", "config -> uploads -> processing"),
        ("uploads/models.py", "import uploads.services", "uploads: from its ends down"),
        ("uploads/store/filesystem.py", "import uploads.models", "uploads: from its ends down"),
        ("processing/models.py", "import processing.services", "processing: from its ends down"),
        ("processing/lifecycle.py", "import processing.api", "processing: from its ends down"),
        ("uploads/messages.py", "import django.db", "The pure modules"),
        ("processing/errors.py", "import asyncio", "The pure modules"),
        ("processing/child_job.py", "import processing.models", "processing: from its ends down"),
        ("processing/processors/inspect.py", "import processing.models", "A processor imports processing.api"),
        ("processing/processors/inspect.py", "import django.conf", "A processor imports processing.api"),
    ],
)
def test_each_contract_can_be_broken(tmp_path: Path, module: str, statement: str, contract: str) -> None:
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(CHECKOUT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{statement}\n")
    done = lint(tmp_path)
    broken = [line for line in done.stdout.splitlines() if " BROKEN" in line]
    assert done.returncode == 1, done.stdout
    assert any(line.startswith(contract) for line in broken), done.stdout
