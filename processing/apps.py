"""The app that runs jobs."""

from django.apps import AppConfig


class ProcessingConfig(AppConfig):
    """Registers the system checks."""

    name = "processing"

    def ready(self) -> None:
        """Django calls it once all models are loaded."""
        from processing import checks  # noqa: F401
