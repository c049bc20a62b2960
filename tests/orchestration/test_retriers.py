"""Retry policies as retriers: the same attempts, delays and errors as orchestration/retry.py decides on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import retry
from orchestration.payload import Json
from orchestration.retriers import INFRASTRUCTURE, THROTTLED, notes, retriers
from orchestration.workflow import Retry, Task

BUSY = {
    "ErrorEquals": list(THROTTLED),
    "IntervalSeconds": 1,
    "MaxAttempts": 100,
    "BackoffRate": 2,
    "MaxDelaySeconds": 300,
    "JitterStrategy": "FULL",
}
LOST = {
    "ErrorEquals": list(INFRASTRUCTURE),
    "IntervalSeconds": 1,
    "MaxAttempts": 2,
    "BackoffRate": 2,
    "MaxDelaySeconds": 60,
    "JitterStrategy": "FULL",
}
FINAL = {
    "ErrorEquals": [
        *("Orchestra.DataMissing", "Orchestra.InvalidOutput"),
        *("States.DataLimitExceeded", "States.QueryEvaluationError"),
    ],
    "MaxAttempts": 0,
}


def retrier(names: list[str], **fields: Json) -> Json:
    return {"ErrorEquals": names, "JitterStrategy": "FULL", **fields}


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (Task("s"), [BUSY, LOST]),
        (Task("s", at_most_once=True), [BUSY]),
        (
            Task("s", retry=Retry(max_attempts=4, delay_s=2, backoff=3, max_delay_s=10)),
            [BUSY, FINAL, retrier(["States.ALL"], IntervalSeconds=2, MaxAttempts=3, BackoffRate=3, MaxDelaySeconds=10)],
        ),
        (
            Task("s", retry=Retry(max_attempts=2, on=["Quota", "States.Timeout", "Lambda.Unknown"])),
            [
                BUSY,
                retrier(
                    sorted([*INFRASTRUCTURE, "Quota", "Sandbox.Timedout", "States.Timeout"]),
                    IntervalSeconds=1,
                    MaxAttempts=1,
                    BackoffRate=2,
                    MaxDelaySeconds=60,
                ),
            ],
        ),
        # what stands for many errors in Step Functions is one name here, and an expression is none
        (
            Task(
                "s",
                retry=Retry(
                    max_attempts=2, delay_s=5, max_delay_s=5, on=["States.ALL", "States.TaskFailed", "{% 1 %}"]
                ),
            ),
            [BUSY, retrier(list(INFRASTRUCTURE), IntervalSeconds=5, MaxAttempts=1, BackoffRate=1)],
        ),
        # whole seconds from 1 on
        (
            Task("s", retry=Retry(max_attempts=3, delay_s=0, max_delay_s=0)),
            [BUSY, FINAL, retrier(["States.ALL"], IntervalSeconds=1, MaxAttempts=2, BackoffRate=1)],
        ),
        (
            Task("s", retry=Retry(max_attempts=3, delay_s=0, max_delay_s=60)),
            [BUSY, FINAL, retrier(["States.ALL"], IntervalSeconds=1, MaxAttempts=2, BackoffRate=1)],
        ),
        (
            Task("s", retry=Retry(max_attempts=3, delay_s=1.5, backoff=1.5, max_delay_s=7.2)),
            [
                BUSY,
                FINAL,
                retrier(["States.ALL"], IntervalSeconds=2, MaxAttempts=2, BackoffRate=1.5, MaxDelaySeconds=8),
            ],
        ),
        (
            Task("s", retry=Retry(max_attempts=3, delay_s=100, max_delay_s=30)),
            [BUSY, FINAL, retrier(["States.ALL"], IntervalSeconds=30, MaxAttempts=2, BackoffRate=1)],
        ),
    ],
)
def test_the_retriers_of_a_task(task: Task, expected: list[Json]) -> None:
    assert retriers(task) == expected


policies = st.builds(
    Retry,
    max_attempts=st.integers(1, 12),
    delay_s=st.integers(1, 500) | st.just(86_400),
    backoff=st.sampled_from([1, 1.5, 2, 10]),
    max_delay_s=st.integers(1, 500) | st.just(86_400),
    on=st.lists(st.sampled_from(["*", "Quota", "States.Timeout"]), min_size=1, max_size=2),
)


@given(
    policies,
    st.sampled_from(
        [
            "Quota",
            "Boom",
            "States.Timeout",
            "Runtime.ExitError",
            "Lambda.ServiceException",
            "States.DataLimitExceeded",
            "Orchestra.InvalidOutput",
        ]
    ),
)
def test_an_error_that_stays_is_tried_as_often_and_after_as_long_on_both_engines(policy: Retry, error: str) -> None:
    task = Task("s", retry=policy)
    decided: list[float] = []
    while (delay_s := retry.delay_s(task, tries=len(decided) + 1, error=error, jitter=1)) is not None:
        decided.append(delay_s)
    assert delays(retriers(task), error) == pytest.approx(decided)


def delays(found: list[Json], error: str) -> list[float]:
    """Return the seconds before each retry of an error, as Step Functions reads retriers."""
    for one in found:
        if error in one["ErrorEquals"] or "States.ALL" in one["ErrorEquals"]:
            growing = (
                one.get("IntervalSeconds", 1) * one.get("BackoffRate", 2) ** n for n in range(one["MaxAttempts"])
            )
            return [min(one.get("MaxDelaySeconds", delay), delay) for delay in growing]
    return []


def test_what_cannot_be_said_is_told() -> None:
    policy = Retry(max_attempts=2, delay_s=0.5, max_delay_s=0, on=["States.ALL", "{%", "States.Timeout"])
    assert list(notes("tasks.A.retry", policy)) == [
        "tasks.A.retry.delay_s: 0.5 s is 1 s, since Step Functions counts in whole seconds, from 1 on",
        "tasks.A.retry.max_delay_s: 0 s is 1 s, since Step Functions counts in whole seconds, from 1 on",
        "tasks.A.retry.on: 'States.ALL' is left out, since Step Functions means something else by it",
        "tasks.A.retry.on: '{%' is left out, since Step Functions means something else by it",
    ]
    assert list(notes("tasks.A.retry", Retry(delay_s=0.5))) == []
    assert list(notes("tasks.A.retry", Retry(max_attempts=2, on=["*"]))) == []
