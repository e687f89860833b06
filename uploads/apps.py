"""The app that takes files in."""

from django.apps import AppConfig


class UploadsConfig(AppConfig):
    """Registers the chores that workers do for uploads."""

    name = "uploads"

    def ready(self) -> None:
        """Django calls it once all models are loaded."""
        from processing import chores
        from uploads import sealing, services

        chores.register("seal what was left half-sealed", sealing.reseal_left_behind)
        chores.register("expire abandoned uploads", services.expire_abandoned)
