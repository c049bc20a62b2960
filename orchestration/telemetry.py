"""What the functions tell about their work: structured logs, metrics, traces. No payload is in any of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger, Tracer, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from orchestration import failures
from orchestration.model import Run, TaskState

logger = Logger(use_rfc3339=True)  # as Lambda reads times; service name and level come from the environment
tracer = Tracer()


def run_started(workflow: str) -> None:
    count("RunsStarted", workflow=workflow)


def run_cancel_asked(workflow: str) -> None:
    count("RunsCancelAsked", workflow=workflow)


def run_redriven(workflow: str) -> None:
    count("RunsRedriven", workflow=workflow)


def run_ended(run: Run) -> None:
    count(f"Runs{run.status.capitalize()}", workflow=run.workflow)
    if run.finished_at is not None:
        _duration("RunDuration", run.finished_at - run.started_at, workflow=run.workflow)


def attempt_ended(service: str, claimed: TaskState, task: TaskState) -> None:
    """Tell how an attempt ended: SUCCEEDED, FAILED, READY for another one, or released by a service that was busy."""
    released = task.released > claimed.released
    count("AttemptsReleased" if released else f"Attempts{task.status.capitalize()}", service=service)
    if claimed.started_at is not None and task.finished_at is not None:
        _duration("AttemptDuration", task.finished_at - claimed.started_at, service=service)
    if claimed.started_at is not None and claimed.ready_at is not None:
        _duration("QueueWait", claimed.started_at - claimed.ready_at, service=service)


def failed(message: str, error: Exception, **fields: str) -> None:
    """Log an error without its own text, which may hold a payload."""
    logger.error(message, extra={"reason": failures.reason(error), "trace": failures.trace(error), **fields})


def count(name: str, value: int = 1, **dimensions: str) -> None:
    _emit(name, MetricUnit.Count, value, dimensions)


def _duration(name: str, milliseconds: int, **dimensions: str) -> None:
    _emit(name, MetricUnit.Milliseconds, milliseconds, dimensions)


def _emit(name: str, unit: MetricUnit, value: float, dimensions: dict[str, str]) -> None:
    # One line for each: the records of a batch belong to different workflows and services.
    with _whole_lines(), single_metric(name=name, unit=unit, value=value) as metric:
        for dimension, content in dimensions.items():
            metric.add_dimension(dimension, content)


@contextmanager
def _whole_lines() -> Iterator[None]:
    """Keep the log's lines out: a metric is printed in two parts, and the tasks of a batch run side by side."""
    handler = logger.registered_handler
    handler.acquire()
    try:
        yield
    finally:
        handler.release()
