"""Whether a failed attempt is tried again, and after how long. Pure: the jitter comes in."""

from __future__ import annotations

from orchestration.workflow import ANY_ERROR, Task

TIMEOUT = "States.Timeout"
DATA_LIMIT = "States.DataLimitExceeded"
INVALID_OUTPUT = "Orchestra.InvalidOutput"
DATA_MISSING = "Orchestra.DataMissing"
# The names that begin with States. are Step Functions' own, so that one retry policy means the same on both engines.

LOST = "Orchestra.WorkerLost"
CONNECTION_LOST = "Orchestra.ConnectionLost"
UNAVAILABLE = "Lambda.ServiceException"
CRASHED = "Runtime.ExitError"

PERMANENT = frozenset({DATA_LIMIT, INVALID_OUTPUT, DATA_MISSING})
"""Errors that another attempt cannot mend, whatever the policy says: what the task is given, or returned."""

INFRASTRUCTURE = frozenset({LOST, CONNECTION_LOST, UNAVAILABLE, CRASHED})
"""Errors that no task raises: the worker, the connection, Lambda or the service's process broke, and nobody knows
how far the task has got. They are tried again as often as the task's policy says, whatever it names, and without a
policy too."""
INFRASTRUCTURE_TRIES = 3
"""Without a policy."""

RELEASES = 100
"""How often a claim is given back because the service is busy: for hours. A service that stays busy fails its task."""
RELEASE_CEILING_S = 300


def delay_s(task: Task, *, tries: int, error: str, jitter: float) -> float | None:
    """Return the seconds until the next attempt, or None if there is none.

    `tries` is the number of the one that failed, from 1; `jitter` is a random number from 0 to 1.
    """
    policy = task.retry
    if task.at_most_once or error in PERMANENT:
        return None
    if error in INFRASTRUCTURE:
        left = (policy.max_attempts if policy.max_attempts > 1 else INFRASTRUCTURE_TRIES) - tries
    else:
        left = policy.max_attempts - tries if ANY_ERROR in policy.on or error in policy.on else 0
    if left <= 0:
        return None
    # The exponent is bounded: beyond it the cap has long been reached, and the power would overflow.
    return min(policy.max_delay_s, policy.delay_s * policy.backoff ** min(tries - 1, 64)) * jitter


def release_delay_s(*, released: int, jitter: float) -> float | None:
    """Return the seconds until a busy service is asked again, or None if that was tried often enough.

    `released` is how often it was busy before.
    """
    if released >= RELEASES:
        return None
    return float(min(RELEASE_CEILING_S, 2 ** min(released, 16))) * jitter
