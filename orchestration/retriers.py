"""Retry policies as the retriers of a Task state, in Amazon States Language. Pure.

Source: docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html (2026).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from orchestration import retry
from orchestration.payload import Json
from orchestration.workflow import ANY_ERROR, Retry, Task, shown

THROTTLED = (
    "Lambda.CodeArtifactUserPendingException",
    "Lambda.EC2ThrottledException",
    "Lambda.ResourceConflictException",
    "Lambda.ResourceNotReadyException",
    "Lambda.TooManyRequestsException",
)
"""The function has certainly not run."""
INFRASTRUCTURE = (
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.Unknown",
    "Runtime.ExitError",
)
"""What no task raises: Lambda, the connection or the function's process broke."""
FUNCTION_TIMEOUT = "Sandbox.Timedout"
QUERY_FAILED = "States.QueryEvaluationError"
FINAL = tuple(sorted({*retry.PERMANENT, QUERY_FAILED}))
"""What another attempt cannot mend. AWS's guide says that States.ALL leaves out one of them; recordings differ."""


def retriers(task: Task) -> list[Json]:
    """Return the retriers of a task.

    Each counts for itself, and the first that names an error decides. So all that the policy is about is in one, and
    with it what no task raises, which counts as it does.
    """
    policy = task.retry
    found = [_retrier(THROTTLED, Retry(delay_s=1, backoff=2, max_delay_s=retry.RELEASE_CEILING_S), retry.RELEASES)]
    if policy.max_attempts > 1 and ANY_ERROR in policy.on:
        found += [
            {"ErrorEquals": list(FINAL), "MaxAttempts": 0},
            _retrier(["States.ALL"], policy, policy.max_attempts - 1),
        ]
    elif policy.max_attempts > 1:
        found.append(_retrier(sorted({*_named(policy), *INFRASTRUCTURE}), policy, policy.max_attempts - 1))
    elif not task.at_most_once:
        found.append(_retrier(INFRASTRUCTURE, policy, retry.INFRASTRUCTURE_TRIES - 1))
    return found


def notes(at: str, policy: Retry) -> Iterator[str]:
    """Yield what Step Functions does otherwise than a policy says. `at` is the policy's field."""
    if policy.max_attempts == 1:
        return
    for field, value in (("delay_s", policy.delay_s), ("max_delay_s", policy.max_delay_s)):
        if value != (whole := _whole(value)):
            yield f"{at}.{field}: {value} s is {whole} s, since Step Functions counts in whole seconds, from 1 on"
    for name in policy.on:
        if name not in (ANY_ERROR, retry.TIMEOUT) and not _can_be_named(name):
            yield f"{at}.on: {shown(name)} is left out, since Step Functions means something else by it"


def _retrier(names: Sequence[str], policy: Retry, retries: int) -> Json:
    """Return a retrier with the delays of a policy."""
    most = _whole(policy.max_delay_s)
    first = min(most, _whole(policy.delay_s))
    grows = policy.backoff > 1 and policy.delay_s > 0 and first < most
    return {
        "ErrorEquals": list(names),
        "IntervalSeconds": first,
        "MaxAttempts": retries,
        "BackoffRate": policy.backoff if grows else 1,
        **({"MaxDelaySeconds": most} if grows else {}),
        "JitterStrategy": "FULL",
    }


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))


def _named(policy: Retry) -> Iterator[str]:
    """Yield the errors of a policy, as Step Functions calls them."""
    for name in policy.on:
        if name == retry.TIMEOUT:
            yield from (retry.TIMEOUT, FUNCTION_TIMEOUT)
        elif _can_be_named(name):
            yield name


def _can_be_named(name: str) -> bool:
    """Tell whether a name is that of one error: those of Step Functions stand for many, and a task has none of them."""
    return not name.startswith("States.") and "{%" not in name
