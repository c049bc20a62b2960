"""Whether a failed attempt is tried again, and after how long. Pure: the jitter comes in."""

from __future__ import annotations

from orchestration.workflow import ANY_ERROR, Retry

TIMEOUT = "States.Timeout"
DATA_LIMIT = "States.DataLimitExceeded"
INVALID_OUTPUT = "Orchestra.InvalidOutput"
# The names that begin with States. are Step Functions' own, so that one retry policy means the same on both engines.

PERMANENT = frozenset({DATA_LIMIT, INVALID_OUTPUT})
"""Errors that another attempt cannot mend, whatever the policy says: what the task returned cannot be recorded."""


def delay_s(policy: Retry, *, attempt: int, error: str, jitter: float) -> float | None:
    """Return the seconds until the next attempt, or None if there is none.

    `attempt` is the number of the one that failed, from 1; `jitter` is a random number from 0 to 1.
    """
    if attempt >= policy.max_attempts or error in PERMANENT:
        return None
    if ANY_ERROR not in policy.on and error not in policy.on:
        return None
    # The exponent is bounded: beyond it the cap has long been reached, and the power would overflow.
    ceiling = min(policy.max_delay_s, policy.delay_s * policy.backoff ** min(attempt - 1, 64))
    return ceiling * jitter
