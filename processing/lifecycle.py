"""The states of a Job and the only ways between them (docs/architecture.md, "Lives"). Pure."""

from enum import StrEnum


class JobState(StrEnum):
    """Where a Job is. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True where nothing can follow."""
        return not TRANSITIONS[self]


TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED}),
    JobState.RUNNING: frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}
"""QUEUED -> FAILED is for a lost lease found with no attempt left."""

FINAL = frozenset(state for state, following in TRANSITIONS.items() if not following)


def may_follow(now: JobState, then: JobState) -> bool:
    """True where `then` may come right after `now`."""
    return then in TRANSITIONS[now]


def after_lost_attempt(*, charged: int, max_attempts: int, cancel_requested: bool) -> JobState:
    """Where a RUNNING job goes whose worker is gone: its owner's wish first, then its attempts."""
    if cancel_requested:
        return JobState.CANCELLED
    return JobState.QUEUED if charged < max_attempts else JobState.FAILED
