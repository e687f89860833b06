"""A worker's own row: that it is there, what it offers, and that it has gone."""

import os
import socket
import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db.models.functions import Now

from processing.models import Worker

FORGOTTEN_DAYS = 7


def register(worker_id: uuid.UUID, slots: int, queues: Sequence[str]) -> None:
    """Write the row at a worker's start, or anew where it was deleted."""
    Worker.objects.update_or_create(
        pk=worker_id,
        defaults={"heartbeat_at": Now(), "stopped_at": None},
        create_defaults={
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "slots": slots,
            "queues": list(queues),
            "started_at": Now(),
            "heartbeat_at": Now(),
        },
    )


def beat(worker_id: uuid.UUID) -> bool:
    """Say that the worker lives; False where its row is gone."""
    return bool(Worker.objects.filter(pk=worker_id).update(heartbeat_at=Now()))


def sign_off(worker_id: uuid.UUID) -> None:
    """Write that the worker stopped in good order."""
    Worker.objects.filter(pk=worker_id).update(stopped_at=Now())


def forget_old() -> int:
    """Delete the rows of workers that have been silent for a week; how many there were."""
    return Worker.objects.filter(heartbeat_at__lt=Now() - timedelta(days=FORGOTTEN_DAYS)).delete()[0]
