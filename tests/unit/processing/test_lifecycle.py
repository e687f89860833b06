"""The states of a Job."""

import itertools

import pytest

from processing.lifecycle import FINAL, TRANSITIONS, JobState, after_lost_attempt, may_follow


def test_nothing_follows_a_final_state() -> None:
    assert {"succeeded", "failed", "cancelled"} == FINAL
    for now, then in itertools.product(FINAL, JobState):
        assert not may_follow(now, then)


def test_every_state_can_still_end() -> None:
    for state in JobState:
        reachable, waiting = set(), {state}
        while waiting:
            one = waiting.pop()
            reachable.add(one)
            waiting |= TRANSITIONS[one] - reachable
        assert reachable & FINAL


def test_a_job_may_run_again_but_never_skips_its_run() -> None:
    assert may_follow(JobState.RUNNING, JobState.QUEUED)
    assert not may_follow(JobState.QUEUED, JobState.SUCCEEDED)
    assert not may_follow(JobState.QUEUED, JobState.QUEUED)


@pytest.mark.parametrize(
    ("charged", "max_attempts", "cancel", "then"),
    [
        (1, 3, False, JobState.QUEUED),
        (3, 3, False, JobState.FAILED),
        (4, 3, False, JobState.FAILED),
        (1, 3, True, JobState.CANCELLED),
        (3, 3, True, JobState.CANCELLED),
    ],
)
def test_after_a_lost_attempt(charged: int, max_attempts: int, cancel: bool, then: JobState) -> None:
    assert after_lost_attempt(charged=charged, max_attempts=max_attempts, cancel_requested=cancel) == then
    assert may_follow(JobState.RUNNING, then)


def test_the_property_agrees() -> None:
    assert [state.final for state in JobState] == [state in FINAL for state in JobState]
