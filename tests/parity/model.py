"""What a workflow of probes must come to on any engine: its trace, from the definition and the input alone.

It runs the probe in this process, task after task, and asks the retry policy. So both engines are held against a third
account of the same workflow, and cannot be wrong together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from unittest import mock

from orchestration import payload, retry
from orchestration.errors import PayloadError, PayloadTooLarge
from orchestration.payload import Json
from orchestration.tasks import MAX_MESSAGE_CHARS
from orchestration.workflow import Task, Workflow
from services.probe import handler as probe
from tests.parity import trace
from tests.parity.trace import TaskTrace, Trace

NEVER = TaskTrace("CANCELED", 0)
CALLED = {"Sandbox.Timedout": retry.TIMEOUT}
"""What Lambda calls otherwise than Orchestra does."""


@dataclass(frozen=True)
class Outcome:
    """How a task ends if all before it succeed."""

    attempts: int
    error: tuple[str, str] | None  # of the last attempt, if it failed
    output: Json


class Ambiguous(Exception):
    """Several tasks fail for good, and which of them fails the run depends on how fast they are."""


class _Died(BaseException):
    """In place of the end of the process."""


def expected(workflow: Workflow, run_input: Json, *, outputs: bool = True) -> Trace:
    """Return the trace of any run. Raises Ambiguous if there is more than one."""
    found: dict[str, Outcome] = {}
    for task_id in in_order(workflow):
        after = workflow.tasks[task_id].after
        if all(before in found and found[before].error is None for before in after):
            upstream = {before: found[before].output for before in after}
            found[task_id] = outcome(workflow, task_id, run_input, upstream)
    failed = [task_id for task_id, end in found.items() if end.error]
    if len(failed) > 1:
        raise Ambiguous(", ".join(failed))
    if not failed:
        ends = {task_id: found[task_id].output for task_id in workflow.sinks}
        output = ends if len(ends) > 1 else ends[workflow.sinks[0]]
        tasks = {t: _ended(end, outputs=outputs) for t, end in found.items()}
        return Trace("SUCCEEDED", None, trace.canonical(output), tasks)
    (task_id,) = failed
    error = found[task_id].error
    assert error
    told = trace.told_of(workflow, task_id)
    tasks = {t: _ended(found[t], outputs=outputs) if t in found else NEVER for t in workflow.tasks if t in told}
    return Trace("FAILED", (error[0], task_id, error[1]), None, tasks)


def outcome(workflow: Workflow, task_id: str, run_input: Json, upstream: Mapping[str, Json]) -> Outcome:
    task = workflow.tasks[task_id]
    for attempt in range(1, 1 + max(task.retry.max_attempts, retry.INFRASTRUCTURE_TRIES)):
        event = {
            "run_id": "<its own>",
            "workflow": workflow.name,
            "task_id": task_id,
            "attempt": attempt,
            "idempotency_key": f"<its own>/{task_id}",
            "deadline_at": "<in time>",
            "params": dict(task.params),
            "input": run_input,
            "upstream": dict(upstream),
        }
        error, output = invoked(task, event)
        if error is None:
            return Outcome(attempt, None, output)
        error = CALLED.get(error[0], error[0]), error[1]
        if retry.delay_s(task, tries=attempt, error=error[0], jitter=0) is None:
            return Outcome(attempt, error, None)
    raise AssertionError("the last attempt ends it")


def invoked(task: Task, event: dict[str, Json]) -> tuple[tuple[str, str] | None, Json]:
    """Return the error of one attempt, or None and its output."""
    assert task.service == "probe", f"the model knows nothing of {task.service}"
    with _without_waiting() as slept:
        error, output = _probed(event)
    return ((retry.TIMEOUT, ""), None) if sum(slept) > task.timeout_s else (error, output)


def _probed(event: dict[str, Json]) -> tuple[tuple[str, str] | None, Json]:
    try:
        output = probe.handler(json.loads(json.dumps(event)), None)
        payload.dump(output, what="the task's output")
    except _Died:
        return (retry.CRASHED, ""), None
    except PayloadTooLarge:
        return (retry.DATA_LIMIT, ""), None
    except PayloadError:
        return (retry.INVALID_OUTPUT, ""), None
    except Exception as exc:  # noqa: BLE001 - any is a failure, with the name of its type
        name = type(exc).__name__
        return (name, "" if trace.ENGINES_OWN.match(name) else _clipped(str(exc))), None
    return None, output


def _clipped(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE_CHARS else message[: MAX_MESSAGE_CHARS - 3] + "..."


def in_order(workflow: Workflow) -> Iterator[str]:
    """Yield the tasks, each after those that it waits for."""
    done: set[str] = set()
    left = list(workflow.tasks)
    while left:
        ready = [task_id for task_id in left if done >= set(workflow.tasks[task_id].after)]
        yield from ready
        done |= set(ready)
        left = [task_id for task_id in left if task_id not in done]


@contextmanager
def _without_waiting() -> Iterator[list[float]]:
    """Let the probe neither sleep nor end this process; yield what it would have slept."""
    slept: list[float] = []

    def leave(_status: int) -> None:
        raise _Died

    with (
        mock.patch.object(probe, "time", SimpleNamespace(sleep=slept.append)),
        mock.patch.object(probe, "os", SimpleNamespace(_exit=leave)),
    ):
        yield slept


def _ended(end: Outcome, *, outputs: bool) -> TaskTrace:
    if end.error:
        return TaskTrace("FAILED", end.attempts, end.error)
    return TaskTrace("SUCCEEDED", end.attempts, None, trace.canonical(end.output) if outputs else None)
