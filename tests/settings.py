"""The project's settings for tests: no variable of the caller's shell, nothing outside a temporary folder.

`TEST_DATABASE_URL=postgres://...` runs the same tests on another database than a SQLite file.
"""

import os
import sys
import tempfile
from pathlib import Path

for _name in [name for name in os.environ if name.startswith("HEADRACE_")]:
    del os.environ[_name]

if "pytest" in sys.modules:
    # Kept by name: the folder goes when the interpreter ends. Every xdist worker imports this anew and gets its own.
    _folder = tempfile.TemporaryDirectory(prefix="headrace-tests-")
    _var = _folder.name
else:  # mypy's plugin reads the settings, and ends without cleaning up
    _var = str(Path(__file__).parent.parent / ".mypy_cache" / "var")
    Path(_var).mkdir(parents=True, exist_ok=True)

os.environ |= {
    "HEADRACE_VAR_DIR": _var,
    "HEADRACE_SECRET_KEY": "for-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz",
    "HEADRACE_DATABASE_URL": os.environ.get("TEST_DATABASE_URL", ""),
    "HEADRACE_ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
    "HEADRACE_HTTPS": "false",
}

from config.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick, for users made by the hundred
# Tests that render a page in this process need no collected files; tests/integration and tests/browser collect them.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
STATIC_ROOT.mkdir(exist_ok=True)  # noqa: F405 - its middleware warns where there is none
