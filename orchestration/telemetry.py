"""What the functions tell about their work: structured logs, metrics, traces. No payload is in any of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.metrics.base import SingleMetric

from orchestration import failures, metrics
from orchestration.metrics import Metric
from orchestration.model import Run, RunStatus, TaskState, TaskStatus

logger = Logger(use_rfc3339=True)  # as Lambda reads times; service name and level come from the environment
tracer = Tracer()


_ENDS = {
    RunStatus.SUCCEEDED: metrics.RUNS_SUCCEEDED,
    RunStatus.FAILED: metrics.RUNS_FAILED,
    RunStatus.CANCELED: metrics.RUNS_CANCELED,
}
_ATTEMPTS = {
    TaskStatus.SUCCEEDED: metrics.ATTEMPTS_SUCCEEDED,
    TaskStatus.FAILED: metrics.ATTEMPTS_FAILED,
    TaskStatus.READY: metrics.ATTEMPTS_RETRIED,
    TaskStatus.CANCELED: metrics.ATTEMPTS_CANCELED,
}


def run_started(workflow: str) -> None:
    tell(metrics.RUNS_STARTED, workflow=workflow)


def run_cancel_asked(workflow: str) -> None:
    tell(metrics.RUNS_CANCEL_ASKED, workflow=workflow)


def run_redriven(workflow: str) -> None:
    tell(metrics.RUNS_REDRIVEN, workflow=workflow)


def run_ended(run: Run) -> None:
    tell(_ENDS[run.status], workflow=run.workflow)
    if run.finished_at is not None:
        tell(metrics.RUN_DURATION, run.finished_at - run.started_at, workflow=run.workflow)


def attempt_ended(service: str, claimed: TaskState, task: TaskState) -> None:
    """Tell how an attempt ended: SUCCEEDED, FAILED, READY for another one, or released by a service that was busy."""
    released = task.released > claimed.released
    tell(metrics.ATTEMPTS_RELEASED if released else _ATTEMPTS[task.status], service=service)
    if claimed.started_at is not None and task.finished_at is not None:
        tell(metrics.ATTEMPT_DURATION, task.finished_at - claimed.started_at, service=service)
    if claimed.started_at is not None and claimed.ready_at is not None:
        tell(metrics.QUEUE_WAIT, claimed.started_at - claimed.ready_at, service=service)


def failed(message: str, error: Exception, **fields: str) -> None:
    """Log an error without its own text, which may hold a payload."""
    logger.error(message, extra={"reason": failures.reason(error), "trace": failures.trace(error), **fields})


def tell(metric: Metric, value: float = 1, **dimensions: str) -> None:
    """Emit one value of a metric, with a content for each dimension that the metric has in any of its sets."""
    line = json.dumps(_line(metric, value, dimensions), separators=(",", ":"))
    with _whole_lines():
        sys.stdout.write(f"{line}\n")


def _line(metric: Metric, value: float, dimensions: Mapping[str, str]) -> dict[str, object]:
    # One line for each: the records of a batch belong to different workflows and services. Which function tells it is
    # no dimension (`service=""`), since an alarm has to name all of them, and that is of no interest to any.
    single = SingleMetric(dimension_set=dict(dimensions), service="")
    single.add_metric(name=metric.name, unit=metric.unit, value=value)
    line = single.serialize_metric_set()
    # Powertools knows one set of dimensions a metric. Each set is a metric of its own, and may be empty. Source:
    # docs.aws.amazon.com/AmazonCloudWatch, "Specification: Embedded metric format", on DimensionSet (2026).
    line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] = [list(names) for names in metric.dimensions]
    return line


@contextmanager
def _whole_lines() -> Iterator[None]:
    """Keep the log's lines out: the tasks of a batch run side by side, and a stream may write a line in parts."""
    handler = logger.registered_handler
    handler.acquire()
    try:
        yield
    finally:
        handler.release()
