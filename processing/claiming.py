"""The claim as one statement: UPDATE ... RETURNING, the same on Postgres and SQLite but for its clock and its locks.

Everything else goes through the ORM; this one runs for every job and every wake-up, and built by the ORM (look, lock,
update, read) it cost six times the processor time. The clock is the database's.
"""

import uuid
from collections.abc import Sequence

from django.db import connection

from processing.models import Job

_STATEMENT = """
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


def take(worker_id: uuid.UUID, queues: Sequence[str], limit: int, lease_seconds: float) -> list[Job]:
    """Up to `limit` waiting jobs, best first, which are RUNNING and the worker's from here on."""
    if limit < 1 or not queues:
        return []
    statement = _STATEMENT.format(
        job=connection.ops.quote_name(Job._meta.db_table),
        columns=", ".join(connection.ops.quote_name(str(field.column)) for field in Job._meta.concrete_fields),
        queues=", ".join(["%s"] * len(queues)),
        **_DIALECTS[connection.vendor],
    )
    worker = Job._meta.get_field("id").get_db_prep_value(worker_id, connection)
    jobs = list(Job.objects.raw(statement, [*queues, limit, worker, float(lease_seconds)]))
    return sorted(jobs, key=lambda job: (-job.priority, job.created_at))
