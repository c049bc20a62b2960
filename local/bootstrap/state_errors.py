# ruff: noqa: INP001 - part of the emulator's program, no module of this package
"""The errors of a state, and whether it is tried again. Pure: the jitter comes in.

Source of the rules: docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

ANY = "States.ALL"
TASK_FAILED = "States.TaskFailed"
TIMEOUT = "States.Timeout"
DATA_LIMIT = "States.DataLimitExceeded"
RUNTIME = "States.Runtime"
QUERY = "States.QueryEvaluationError"
NO_CHOICE = "States.NoChoiceMatched"
CRASHED = "Runtime.ExitError"  # Lambda's name for a function whose process has ended

TERMINAL = frozenset({DATA_LIMIT, RUNTIME})
"""Errors that only their own name matches, and no wildcard: so AWS documents it. (A recording of a catcher on AWS, in
LocalStack's test_states_errors.snapshot.json, has States.ALL match States.DataLimitExceeded all the same; a definition
that must not depend on it names the error in a retrier of its own.)"""


class Failed(Exception):
    """A state has failed. `cause` is None where AWS reports none, as for a time-out."""

    def __init__(self, error: str, cause: str | None = None) -> None:
        super().__init__(error if cause is None else f"{error}: {cause}")
        self.error = error
        self.cause = cause

    @property
    def details(self) -> dict[str, str]:
        """Return the error as the details of an event have it."""
        return {"error": self.error} if self.cause is None else {"error": self.error, "cause": self.cause}


def matches(names: Collection[str], error: str) -> bool:
    """Return whether an ErrorEquals matches an error."""
    if error in names:
        return True
    if error in TERMINAL:
        return False
    return ANY in names or (TASK_FAILED in names and error != TIMEOUT)


class Retriers:
    """The Retry of one visit to a state. `used` counts for each retrier, from 0 with each visit; it is changed here."""

    def __init__(self, retriers: Sequence[Mapping[str, Any]], used: list[int]) -> None:
        self._retriers = retriers
        self._used = used

    @property
    def count(self) -> int:
        """How often the state was tried again: the RetryCount of the context."""
        return sum(self._used)

    def delay_s(self, error: str, random: Callable[[], float]) -> float | None:
        """Return the seconds until the next attempt, or None if there is none.

        The first retrier that matches decides, also if it has none left. `random` returns a number from 0 to 1; with
        JitterStrategy FULL the wait is that share of the delay.
        """
        for index, retrier in enumerate(self._retriers):
            if matches(retrier["ErrorEquals"], error):
                used = self._used[index]
                if used >= retrier.get("MaxAttempts", 3):
                    return None
                self._used[index] += 1
                return _delay_s(retrier, used) * (random() if retrier.get("JitterStrategy") == "FULL" else 1)
        return None


def _delay_s(retrier: Mapping[str, Any], used: int) -> float:
    cap = float(retrier.get("MaxDelaySeconds", "inf"))
    try:
        return min(cap, float(retrier.get("IntervalSeconds", 1)) * float(retrier.get("BackoffRate", 2)) ** used)
    except OverflowError:
        return cap
