"""Which failed attempt is tried again, and after how long, by table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import retry
from orchestration.workflow import Retry, Task

POLICY = Retry(max_attempts=4, delay_s=2, backoff=3, max_delay_s=10)
NAMED = Retry(max_attempts=2, delay_s=1, on=["Throttled", "States.Timeout"])


@pytest.mark.parametrize(
    ("policy", "attempt", "error", "jitter", "delay_s"),
    [
        (Retry(), 1, "Boom", 1, None),  # the default is one attempt
        (POLICY, 1, "Boom", 1, 2),
        (POLICY, 2, "Boom", 1, 6),
        (POLICY, 3, "Boom", 1, 10),  # 18, but for the cap
        (POLICY, 4, "Boom", 1, None),
        (POLICY, 5, "Boom", 1, None),
        (POLICY, 1, "Boom", 0, 0),
        (POLICY, 2, "Boom", 0.25, 1.5),
        (POLICY, 3, "Boom", 0.5, 5),
        (NAMED, 1, "Throttled", 1, 1),
        (NAMED, 1, "States.Timeout", 1, 1),
        (NAMED, 1, "throttled", 1, None),
        (NAMED, 1, "Throttled2", 1, None),
        (NAMED, 2, "Throttled", 1, None),
        # another attempt cannot mend these, whatever the policy names
        (POLICY, 1, "States.DataLimitExceeded", 1, None),
        (POLICY, 1, "Orchestra.InvalidOutput", 1, None),
        (Retry(max_attempts=2, on=["Orchestra.InvalidOutput"]), 1, "Orchestra.InvalidOutput", 1, None),
        (Retry(max_attempts=2, delay_s=0), 1, "Boom", 1, 0),
        (Retry(max_attempts=2, max_delay_s=0), 1, "Boom", 1, 0),
        (Retry(max_attempts=2, delay_s=100, max_delay_s=30), 1, "Boom", 1, 30),
        (Retry(max_attempts=3, delay_s=5, backoff=1), 2, "Boom", 1, 5),
        (Retry(max_attempts=100, delay_s=900, backoff=10, max_delay_s=900), 99, "Boom", 1, 900),
        (Retry(max_attempts=100, delay_s=0, backoff=10), 99, "Boom", 1, 0),
    ],
)
def test_delay(policy: Retry, attempt: int, error: str, jitter: float, delay_s: float | None) -> None:
    assert retry.delay_s(Task("a", retry=policy), tries=attempt, error=error, jitter=jitter) == delay_s


@pytest.mark.parametrize(
    "error", ["Orchestra.WorkerLost", "Orchestra.ConnectionLost", "Lambda.ServiceException", "Runtime.ExitError"]
)
@pytest.mark.parametrize(
    ("policy", "tries", "delay_s"),
    [
        (Retry(), 1, 1),  # also without a policy, and whatever it names
        (Retry(), 2, 2),
        (Retry(), 3, None),
        (NAMED, 1, 1),  # a policy says how often, whatever it names
        (NAMED, 2, None),
        (POLICY, 3, 10),
        (POLICY, 4, None),
    ],
)
def test_a_loss_that_is_not_the_task_s(error: str, policy: Retry, tries: int, delay_s: float | None) -> None:
    assert retry.delay_s(Task("a", retry=policy), tries=tries, error=error, jitter=1) == delay_s
    assert retry.delay_s(Task("a", at_most_once=True), tries=tries, error=error, jitter=1) is None


@pytest.mark.parametrize(
    ("released", "jitter", "delay_s"),
    [(0, 1, 1), (1, 1, 2), (5, 0.5, 16), (9, 1, 300), (99, 1, 300), (99, 0, 0), (100, 1, None), (101, 0, None)],
)
def test_a_busy_service_is_asked_again_for_hours(released: int, jitter: float, delay_s: float | None) -> None:
    assert retry.release_delay_s(released=released, jitter=jitter) == delay_s


@given(
    st.builds(
        Retry,
        max_attempts=st.integers(1, 100),
        delay_s=st.floats(0, 86_400),
        backoff=st.floats(1, 10),
        max_delay_s=st.floats(0, 86_400),
    ),
    st.integers(1, 100),
    st.floats(0, 1),
)
def test_a_delay_is_within_its_cap_and_ends_with_the_attempts(policy: Retry, attempt: int, jitter: float) -> None:
    delay_s = retry.delay_s(Task("a", retry=policy), tries=attempt, error="Boom", jitter=jitter)
    assert (delay_s is None) == (attempt >= policy.max_attempts)
    assert delay_s is None or 0 <= delay_s <= policy.max_delay_s
