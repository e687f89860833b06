"""The project's own app (its commands and checks) and its admin site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ConfigConfig(AppConfig):
    """Holds the commands that belong to the whole project."""

    name = "config"

    def ready(self) -> None:
        """Django calls it once all models are loaded."""
        from config import checks  # noqa: F401


class HeadraceAdminConfig(AdminConfig):
    """Django's admin with the dashboard of config.admin."""

    default_site = "config.admin.HeadraceAdminSite"
