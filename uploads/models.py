"""The row that is the truth about an Upload."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class Upload(models.Model):
    """A file on its way in, or in. Its bytes are the store's; the blob's name is the id."""

    class State(models.TextChoices):
        """RECEIVING -> SEALING -> COMPLETE | FAILED; RECEIVING -> ABORTED | EXPIRED | FAILED."""

        RECEIVING = "receiving"
        SEALING = "sealing"
        COMPLETE = "complete"
        FAILED = "failed"
        ABORTED = "aborted"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVING, db_index=True)
    name = models.TextField(help_text="For display only, never a path.")
    size = models.BigIntegerField(null=True, blank=True, help_text="Declared; null until it is known.")
    offset = models.BigIntegerField(default=0, help_text="As last reported; the store's size is the truth.")
    content_type = models.CharField(max_length=255, blank=True, help_text="As the client declared it.")
    modified = models.DateTimeField(null=True, blank=True, help_text="The file's own time, as the client declared it.")
    declared_sha256 = models.CharField(max_length=64, blank=True)
    finish_sha256 = models.CharField(max_length=64, blank=True, help_text="As the client named it when it finished.")
    sha256 = models.CharField(max_length=64, blank=True, help_text="Computed from the stored bytes.")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    owner = models.CharField(max_length=80, blank=True, db_index=True)
    token_hash = models.CharField(max_length=64)
    key = models.CharField(max_length=1024, blank=True, help_text="The client's idempotency key.")
    processor = models.CharField(max_length=100, blank=True)
    params = models.JSONField(default=dict, blank=True)

    epoch = models.PositiveBigIntegerField(default=0, help_text="Grows with every writer; the newest wins.")
    writer_channel = models.CharField(
        max_length=200, blank=True, help_text="The newest writer's socket, to tell it when taken over."
    )
    seal_lease_until = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=50, blank=True)
    error_message = models.TextField(blank=True)

    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "key"],
                name="one_live_upload_per_key",
                condition=~Q(key="") & Q(state__in=["receiving", "sealing", "complete"]),
            )
        ]

    def __str__(self) -> str:
        return self.name
