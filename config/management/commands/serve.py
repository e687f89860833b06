"""Run the whole service: web, WebSocket and one embedded worker, in this process."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from config.environment import BASE_DIR


class Command(BaseCommand):
    """`serve`."""

    help = (
        "Run Headrace on one address: pages, API, WebSocket and one embedded worker.\n"
        "Ctrl-C stops it cleanly: running jobs may finish, unfinished ones are queued again.\n"
        "Exit code 2: a setting is wrong, or the port is taken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the address and what runs beside the web."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default 8000)")
        parser.add_argument("--no-worker", action="store_true", help="no embedded worker; start `runworker` yourself")

    def handle(self, *args: Any, host: str, port: int, no_worker: bool, **options: Any) -> None:
        """Set up what is missing, then serve until stopped."""
        from config.server import CannotListen, Limits, PortTaken, serve

        if not 0 <= port <= 65535:
            raise CommandError(f"--port {port}: a port is 1 to 65535.", returncode=2)
        self._migrate()
        collect_static()
        from config.asgi import application

        has_admin = get_user_model().objects.filter(is_superuser=True, is_active=True).exists()
        life = Life(embedded=not no_worker)
        limits = Limits(
            message_bytes=settings.HEADRACE.message_bytes, heartbeat_seconds=settings.HEADRACE.heartbeat_seconds
        )
        try:
            code = serve(
                application,
                host=host,
                port=port,
                limits=limits,
                before_start=life.start,
                before_stop=life.stop,
                on_ready=lambda server: self._greet(host, server.port, has_admin),
            )
        except PortTaken:
            other = f"Choose another: make serve PORT={port + 1}"
            raise CommandError(f"Port {port} on {host} is taken. {other}", returncode=2) from None
        except CannotListen as error:
            raise CommandError(str(error), returncode=2) from None
        sys.exit(code)

    def _migrate(self) -> None:
        try:
            call_command("migrate", verbosity=0, interactive=False)
        except OperationalError as error:
            raise CommandError(f"The database cannot be used: {error}".strip(), returncode=2) from None

    def _greet(self, host: str, port: int, has_admin: bool) -> None:
        shown = f"[{host}]" if ":" in host else host
        self.stdout.write(f"Headrace is at http://{shown}:{port}/ (Ctrl-C stops it)")
        if not has_admin:
            self.stdout.write(f"For the admin at /admin/ make a login first: {python()} manage.py createsuperuser")
        self.stdout.flush()


class Life:
    """What starts and stops with the server, on its loop."""

    def __init__(self, *, embedded: bool) -> None:
        self.embedded = embedded
        self.worker: Any = None

    async def start(self) -> None:
        """Ring on this loop, and start the worker."""
        from processing import doorbell

        doorbell.use_loop(asyncio.get_running_loop())
        if self.embedded:
            from processing.worker import Worker

            self.worker = Worker()
            await self.worker.start()

    async def stop(self) -> None:
        """Say goodbye to the sockets, and let running jobs finish."""
        from uploads.consumers import say_bye

        await say_bye()
        if self.worker is not None:
            await self.worker.drain(settings.HEADRACE.drain_seconds)


def collect_static() -> None:
    """Collect and hash the static files where one is newer than the manifest."""
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    made = manifest.stat().st_mtime if manifest.exists() else 0.0
    sources = [path for folder in settings.STATICFILES_DIRS for path in Path(folder).rglob("*")]
    if not made or any(path.stat().st_mtime > made for path in sources):
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)


def python() -> str:
    """How a person calls this Python from the project's folder."""
    return ".venv/bin/python" if (BASE_DIR / ".venv").is_dir() else "python3"
