"""The statements that run for every job, written out: the claim, the fenced UPDATE, the events' INSERT.

Everything else goes through the ORM. Built by it, these cost four to ten times the processor time, most of what an
empty job took. They are the same on Postgres and SQLite but for the clock, which is the database's, and the locks.
"""

import functools
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.functions import Now

from processing.models import Job, JobEvent

_CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT id FROM {job}
    WHERE state = 'queued' AND cancel_requested_at IS NULL AND queue IN ({queues}) AND available_at <= {now}
    ORDER BY priority DESC, created_at
    LIMIT %s {lock}
)
UPDATE {job} SET
    state = 'running', attempt = attempt + 1, charged = charged + 1, seq = seq + 1, worker_id = %s,
    lease_until = {lease}, started_at = {now}, progress = NULL
WHERE id IN (SELECT id FROM picked) AND state = 'queued'
RETURNING {columns}
"""

_MOVE = "UPDATE {job} SET {changes} WHERE id = %s AND attempt = %s AND state = 'running' AND seq = %s"

_INSERT = "INSERT INTO {event} ({columns}) VALUES "

_DIALECTS = {
    "postgresql": {
        "now": "STATEMENT_TIMESTAMP()",
        "lease": "STATEMENT_TIMESTAMP() + make_interval(secs => %s)",
        "lock": "FOR UPDATE SKIP LOCKED",
    },
    "sqlite": {
        # As Django writes Now() for SQLite; a writing transaction is alone there.
        "now": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')",
        "lease": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', '+' || %s || ' seconds')",
        "lock": "",
    },
}

_INSERTED_AT_ONCE = 100

NOW = Now()
"""The database's clock, as a value for `move`."""


def claim(worker_id: uuid.UUID, queues: Sequence[str], limit: int, lease_seconds: float) -> list[Job]:
    """Up to `limit` waiting jobs, best first, which are RUNNING and the worker's from here on."""
    if limit < 1 or not queues:
        return []
    worker = _field(Job, "worker").get_db_prep_save(worker_id, connection)
    statement = _claim_text(connection.vendor, len(queues))
    jobs = list(Job.objects.raw(statement, [*queues, limit, worker, float(lease_seconds)]))
    return sorted(jobs, key=lambda job: (-job.priority, job.created_at))


def move(job: Job, changes: Mapping[str, Any]) -> bool:
    """Change the row of a running attempt whose newest event is `job.seq`: the fence. False where it was too late."""
    database = connections[DEFAULT_DB_ALIAS]  # the proxy `connection` looks it up anew at every use
    names = tuple((name, value is NOW) for name, value in changes.items())
    values = [
        _field(Job, name).get_db_prep_save(value, database) for name, value in changes.items() if value is not NOW
    ]
    key = _field(Job, "id").get_db_prep_save(job.pk, database)
    with database.cursor() as cursor:
        cursor.execute(_move_text(database.vendor, names), [*values, key, job.attempt, job.seq])
        return bool(cursor.rowcount)


def insert(rows: Sequence[JobEvent]) -> None:
    """Write events; their own ids stay unknown."""
    database = connections[DEFAULT_DB_ALIAS]
    begin, one = _insert_text(database.vendor)
    fields = _event_fields()
    with database.cursor() as cursor:
        for start in range(0, len(rows), _INSERTED_AT_ONCE):
            some = rows[start : start + _INSERTED_AT_ONCE]
            values = [field.get_db_prep_save(getattr(row, field.attname), database) for row in some for field in fields]
            cursor.execute(begin + ", ".join([one] * len(some)), values)


@functools.cache
def _claim_text(vendor: str, queues: int) -> str:
    columns = ", ".join(_quoted(str(field.column)) for field in Job._meta.concrete_fields)
    marks = ", ".join(["%s"] * queues)
    return _CLAIM.format(job=_quoted(Job._meta.db_table), columns=columns, queues=marks, **_DIALECTS[vendor])


@functools.cache
def _move_text(vendor: str, names: tuple[tuple[str, bool], ...]) -> str:
    now = _DIALECTS[vendor]["now"]
    changes = [f"{_quoted(str(_field(Job, name).column))} = {now if is_now else '%s'}" for name, is_now in names]
    return _MOVE.format(job=_quoted(Job._meta.db_table), changes=", ".join(changes))


@functools.cache
def _insert_text(vendor: str) -> tuple[str, str]:
    del vendor  # only the quotes may differ
    columns = ", ".join(_quoted(str(field.column)) for field in _event_fields())
    one = f"({', '.join(['%s'] * len(_event_fields()))})"
    return _INSERT.format(event=_quoted(JobEvent._meta.db_table), columns=columns), one


@functools.cache
def _event_fields() -> "list[models.Field[Any, Any]]":
    return [field for field in JobEvent._meta.concrete_fields if not field.primary_key]


@functools.cache
def _field(model: type[models.Model], name: str) -> "models.Field[Any, Any]":
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)
    return field


def _quoted(name: str) -> str:
    quoted: str = connection.ops.quote_name(name)
    return quoted
