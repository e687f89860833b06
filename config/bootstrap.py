"""What `manage.py serve` does before the settings are read: a place to write, a secret key, defaults that fit one
machine.

Everywhere else the settings are what the environment says (config/environment.py).
"""

import os
import socket
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from django.core.management.utils import get_random_secret_key

from config.environment import BASE_DIR, ConfigurationError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def prepare(argv: Sequence[str]) -> None:
    """Make var/ and its secret key, and set the defaults. Raises ConfigurationError for a folder that cannot be
    written.
    """
    var = Path(os.environ.get("HEADRACE_VAR_DIR") or BASE_DIR / "var")
    try:
        var.mkdir(parents=True, exist_ok=True)
        if not os.environ.get("HEADRACE_SECRET_KEY"):
            make_secret_key(var / "secret_key")
        probe = var / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(f"HEADRACE_VAR_DIR: {var} cannot be written: {error.strerror}") from None
    os.environ.setdefault("HEADRACE_HTTPS", "false")
    os.environ.setdefault("HEADRACE_ANONYMOUS_SESSIONS", "true")
    host = _host(argv)
    if host and host not in LOOPBACK:
        os.environ.setdefault("HEADRACE_ALLOWED_HOSTS", ",".join([*LOOPBACK[:2], "[::1]", *_names(host)]))


def make_secret_key(file: Path) -> None:
    """Write a new key that only this user can read; one that is there stays."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as out:
        out.write(get_random_secret_key() + "\n")


def _host(argv: Sequence[str]) -> str:
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--host", default="")
    return str(parser.parse_known_args(argv)[0].host)


def _names(host: str) -> list[str]:
    """The host names under which a browser may ask for this machine."""
    if host not in EVERYWHERE:
        return [host]
    names = {socket.gethostname(), socket.getfqdn()}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address: nothing is sent, the kernel picks our own
            names.add(probe.getsockname()[0])
        except OSError:
            names.discard("")
    return sorted(names)
