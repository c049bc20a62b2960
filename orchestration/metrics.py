"""The metrics that the functions emit: each one's name, what a value of it is, and the dimensions that it has. Pure.

The functions, the alarms, the dashboard, the command line and docs/operations.md all go by this list. CloudWatch keeps
a metric for each combination of dimensions, and bills each, so there are as few as an alarm or a graph asks for: `()`
is the metric without any dimension, which an alarm can name whatever workflows there will be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Dimensions = tuple[str, ...]
"""The names of the dimensions of one metric."""


class Kind(StrEnum):
    """What the values of a metric say together."""

    COUNTER = "counter"  # their sum: how often something happened
    GAUGE = "gauge"  # the last one, or the highest: how many there were at a moment
    DURATION = "duration"  # their distribution, in milliseconds


@dataclass(frozen=True)
class Metric:
    name: str
    kind: Kind
    dimensions: tuple[Dimensions, ...]

    @property
    def unit(self) -> str:
        """Return the unit as CloudWatch calls it."""
        return "Milliseconds" if self.kind is Kind.DURATION else "Count"


_OF_RUNS: tuple[Dimensions, ...] = ((), ("workflow",))
_OF_TASKS: tuple[Dimensions, ...] = (("service",),)
_ALONE: tuple[Dimensions, ...] = ((),)

RUNS_STARTED = Metric("RunsStarted", Kind.COUNTER, _OF_RUNS)
RUNS_SUCCEEDED = Metric("RunsSucceeded", Kind.COUNTER, _OF_RUNS)
RUNS_FAILED = Metric("RunsFailed", Kind.COUNTER, _OF_RUNS)
RUNS_CANCELED = Metric("RunsCanceled", Kind.COUNTER, _OF_RUNS)
RUNS_CANCEL_ASKED = Metric("RunsCancelAsked", Kind.COUNTER, _OF_RUNS)
RUNS_REDRIVEN = Metric("RunsRedriven", Kind.COUNTER, _OF_RUNS)
RUN_DURATION = Metric("RunDuration", Kind.DURATION, _OF_RUNS)

ATTEMPTS_SUCCEEDED = Metric("AttemptsSucceeded", Kind.COUNTER, _OF_TASKS)
ATTEMPTS_FAILED = Metric("AttemptsFailed", Kind.COUNTER, _OF_TASKS)
ATTEMPTS_RETRIED = Metric("AttemptsRetried", Kind.COUNTER, _OF_TASKS)
ATTEMPTS_CANCELED = Metric("AttemptsCanceled", Kind.COUNTER, _OF_TASKS)
ATTEMPTS_RELEASED = Metric("AttemptsReleased", Kind.COUNTER, _OF_TASKS)
ATTEMPT_DURATION = Metric("AttemptDuration", Kind.DURATION, _OF_TASKS)
QUEUE_WAIT = Metric("QueueWait", Kind.DURATION, _OF_TASKS)

OPEN_RUNS = Metric("OpenRuns", Kind.GAUGE, _ALONE)
SWEEP_LAG = Metric("SweepLag", Kind.DURATION, _ALONE)
RUNS_SWEPT = Metric("RunsSwept", Kind.COUNTER, _ALONE)
SWEEP_FAILURES = Metric("SweepFailures", Kind.COUNTER, _ALONE)
SWEEPER_REPAIRS = Metric("SweeperRepairs", Kind.COUNTER, (("kind",),))

MESSAGES_QUARANTINED = Metric("MessagesQuarantined", Kind.COUNTER, _ALONE)
RECORDS_QUARANTINED = Metric("RecordsQuarantined", Kind.COUNTER, _ALONE)
QUARANTINE_FAILURES = Metric("QuarantineFailures", Kind.COUNTER, _ALONE)

METRICS: Mapping[str, Metric] = {m.name: m for m in list(globals().values()) if isinstance(m, Metric)}
"""All of them, by name."""
