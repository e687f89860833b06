"""Rows and people for the tests of the admin."""

import asyncio
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission, User
from django.utils import timezone

from processing.lifecycle import JobState
from processing.models import Job, JobEvent, Worker
from uploads.models import Upload

HOSTILE = '<script>alert("x")</script>\u202egpj.exe\x07'
"""A name that is markup, that turns the direction of writing round, and rings the bell."""


def staff(*permissions: str, name: str = "grace") -> User:
    """Someone who may enter the admin and has these permissions (codenames), nothing else."""
    user = User.objects.create_user(name, password="pw", is_staff=True)
    found = Permission.objects.filter(codename__in=permissions)
    assert found.count() == len(permissions), f"not all of {permissions} exist"
    user.user_permissions.set(found)
    return user


def make_job(name: str = "cities.csv", state: JobState = JobState.SUCCEEDED, **fields: Any) -> Job:
    """A job that took two seconds, with the events of its state."""
    now = timezone.now()
    ran = state != JobState.QUEUED
    given = {
        "processor": "inspect",
        "input_storage": "uploads",
        "input_name": "x",
        "input_size": 12,
        "input_sha256": "a1" * 32,
        "available_at": now,
        "started_at": now - timedelta(seconds=2) if ran else None,
        "finished_at": now if ran and state != JobState.RUNNING else None,
        "attempt": int(ran),
        "charged": int(ran),
    }
    job = Job.objects.create(name=name, state=state, **given | fields)
    events = ["queued"] + ["started"] * ran + ([] if state in (JobState.QUEUED, JobState.RUNNING) else [state.value])
    for number, event in enumerate(events, 1):
        JobEvent.objects.create(job=job, seq=number, attempt=min(number - 1, 1), event=event, created_at=now)
    Job.objects.filter(pk=job.pk).update(seq=len(events))
    job.refresh_from_db()
    return job


def make_upload(name: str = "cities.csv", state: str = Upload.State.COMPLETE, **fields: Any) -> Upload:
    """A stored upload of twelve bytes, which no store has."""
    given = {"size": 12, "offset": 12, "sha256": "b2" * 32, "token_hash": "t", "expires_at": timezone.now()}
    return Upload.objects.create(name=name, state=state, **given | fields)


def make_worker(host: str = "mill", *, silent: float = 0, **fields: Any) -> Worker:
    """A worker that was heard of `silent` seconds ago."""
    heard = timezone.now() - timedelta(seconds=silent)
    given = {"pid": 7, "slots": 2, "queues": ["default"], "started_at": heard, "heartbeat_at": heard}
    return Worker.objects.create(host=host, **given | fields)


def body(response: Any) -> bytes:
    """All of a streamed answer, which is an asynchronous iterator."""

    async def read() -> bytes:
        return b"".join([block async for block in response])

    return asyncio.run(read())
