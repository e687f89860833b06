"""The rows that are the truth about processing: Job, JobEvent, Artifact, Worker, ApiToken."""

import uuid

from django.conf import settings
from django.db import models

from processing.lifecycle import FINAL, JobState


class JobQuerySet(models.QuerySet["Job"]):
    """Filters that several rooms need."""

    def running(self, job_id: uuid.UUID, attempt: int) -> "JobQuerySet":
        """The fence: this row only while this very attempt runs. An UPDATE that hits no row came too late."""
        return self.filter(pk=job_id, attempt=attempt, state=JobState.RUNNING)

    def owned_by(self, owner: str) -> "JobQuerySet":
        """The jobs of one owner; nobody's jobs are nobody's to list."""
        return self.filter(owner=owner) if owner else self.none()


class Job(models.Model):
    """One run of a Processor over one input, however many attempts it takes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.TextField(help_text="The file's name, for display only.")
    processor = models.CharField(max_length=100, db_index=True)
    params = models.JSONField(default=dict, blank=True)
    queue = models.CharField(max_length=100, default="default")
    priority = models.SmallIntegerField(default=0, help_text="Higher goes first.")
    state = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in JobState], default=JobState.QUEUED, db_index=True
    )

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    owner = models.CharField(max_length=80, blank=True, db_index=True)
    capability_hash = models.CharField(max_length=64, blank=True)
    source = models.CharField(max_length=100, blank=True, db_index=True, help_text="Opaque: what the input came from.")
    unique_key = models.CharField(max_length=120, null=True, blank=True, unique=True)
    retry_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retries")

    input_storage = models.CharField(max_length=50)
    input_name = models.CharField(max_length=500)
    input_size = models.BigIntegerField(null=True, blank=True)
    input_sha256 = models.CharField(max_length=64, null=True, blank=True)
    content_type = models.CharField(max_length=255, blank=True)

    attempt = models.PositiveIntegerField(default=0, help_text="Grows at every claim; the fence.")
    charged = models.PositiveIntegerField(default=0, help_text="Attempts that count towards max_attempts.")
    max_attempts = models.PositiveIntegerField(default=3)
    worker = models.ForeignKey("Worker", null=True, blank=True, on_delete=models.SET_NULL, related_name="jobs")
    lease_until = models.DateTimeField(null=True, blank=True)
    available_at = models.DateTimeField(help_text="Not claimed before.")
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    reply_channel = models.CharField(max_length=200, blank=True, help_text="The originating socket's channel.")

    progress = models.JSONField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    result_artifact = models.ForeignKey("Artifact", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    error_code = models.CharField(max_length=50, blank=True)
    error_message = models.TextField(blank=True)
    traceback = models.TextField(blank=True, help_text="For staff only.")
    seq = models.PositiveIntegerField(default=0, help_text="The newest durable event's number.")
    first_seq = models.PositiveIntegerField(default=1, help_text="Replay is possible from here on.")

    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    started_at = models.DateTimeField(null=True, blank=True, help_text="When the newest attempt began.")
    finished_at = models.DateTimeField(null=True, blank=True, db_index=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        indexes = [
            models.Index(
                fields=["queue", "-priority", "created_at"], name="job_claim", condition=models.Q(state="queued")
            ),
            models.Index(fields=["lease_until"], name="job_lease", condition=models.Q(state="running")),
        ]
        permissions = [("cancel_job", "Can cancel any job"), ("retry_job", "Can retry any job")]

    def __str__(self) -> str:
        return f"{self.processor} of {self.name}"

    @property
    def is_final(self) -> bool:
        """True in a state that nothing follows."""
        return self.state in FINAL


class JobEvent(models.Model):
    """One durable event of a Job, numbered without gaps from 1."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    event = models.CharField(max_length=20)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("job", "seq")
        constraints = [models.UniqueConstraint(fields=["job", "seq"], name="one_event_per_seq")]

    def __str__(self) -> str:
        return f"{self.seq} {self.event}"


class Artifact(models.Model):
    """A file that the winning attempt of a Job made, read through the storage `artifacts`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="artifacts")
    attempt = models.PositiveIntegerField()
    name = models.TextField(help_text="For display and download.")
    content_type = models.CharField(max_length=255)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    storage_name = models.CharField(max_length=500)

    class Meta:
        ordering = ("job", "storage_name")

    def __str__(self) -> str:
        return self.name


class Worker(models.Model):
    """A `runworker` process, as it last reported itself."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    slots = models.PositiveIntegerField()
    queues = models.JSONField(default=list)
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField(db_index=True)
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-started_at",)

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class ApiToken(models.Model):
    """A program's way to act for a user. Only the hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    label = models.CharField(max_length=100, blank=True)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.label or str(self.id)
