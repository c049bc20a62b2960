"""What a run is billed for on each engine: a model of what the engines do, for a run that was described. Pure.

The graph, the attempts and the times are the run's own. What is counted is what a run of that graph in which nothing
gets lost writes, reads, sends and invokes (orchestration/engine.py, steps.py and store.py; tests/cli/test_usage.py
holds this model against them). Where AWS has a choice, it is taken to make the dearer one: every message has a Worker
of its own, and every stream record an Orchestrator, as when there is little to do. Under load they share.

Left out: the services themselves, which both engines invoke alike; the Sweeper, whose cost docs/operations.md has; what
is stored and traced; free tiers; and whoever asks how a run is going.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cli.model import Run, Task
from cli.prices import Unit
from orchestration.timing import Timing

WRITE_BYTES, READ_BYTES = 1_024, 4_096
"""What one unit writes or reads. Source: docs.aws.amazon.com/amazondynamodb, on-demand capacity mode (2026)."""
RUN_BYTES, INPUT_BYTES, TASK_BYTES, ARRIVED_BYTES = 380, 130, 260, 3
"""An item without its payload, and one member of what has arrived at it, to within some tens of bytes."""
MESSAGES_AT_ONCE = 10
ITEMS_AT_ONCE = 100
MEMORY_GB = 0.5
"""Of the Worker and of the Orchestrator (components/worker_pool.py, components/orchestrator.py)."""
MS_PER_REQUEST = 10
"""What a function takes for one request of its own: an estimate, of 6 ms that DynamoDB takes and 4 ms of processor."""
FLOW_LOOKUPS = 3
"""How often a start on Step Functions reads what is registered."""
START_LOG_KB, WORKER_LOG_KB, RECORD_LOG_KB = 1.3, 1.7, 1.1
"""What an invocation logs: the engine's lines and metrics, measured, and about 0.65 KB of Lambda's own, estimated."""


@dataclass(frozen=True)
class Payloads:
    """How large is what a run passes on, in bytes of compact JSON. What is not known is as large as the mean."""

    input: int = 4
    outputs: Mapping[str, int] = field(default_factory=dict)

    def of(self, task_id: str) -> int:
        known = self.outputs.values()
        return self.outputs.get(task_id, sum(known) // len(known) if known else 0)


@dataclass
class Usage:
    """Of one run: units as they are billed, and requests by the names that AWS has for them."""

    units: dict[Unit, float] = field(default_factory=lambda: dict.fromkeys(Unit, 0))
    requests: Counter[str] = field(default_factory=Counter)

    def write(self, operation: str, size: int, *, indexes: int = 0) -> None:
        self.requests[operation] += 1
        self.units[Unit.WRITES] += max(1, math.ceil(size / WRITE_BYTES)) + indexes

    def read(self, operation: str, sizes: Iterable[int], requests: int = 1) -> None:
        """Count one read of items, each of which is rounded up by itself."""
        self.requests[operation] += requests
        self.units[Unit.READS] += sum(max(1, math.ceil(size / READ_BYTES)) for size in sizes)

    def send(self, messages: int) -> None:
        """Count what it takes to send messages; each is received and deleted by itself."""
        batches = math.ceil(messages / MESSAGES_AT_ONCE)
        self.requests["SendMessageBatch"] += batches
        self.units[Unit.QUEUE] += batches + 2 * messages

    def invoke(self, log_kb: float, times: int = 1) -> None:
        self.units[Unit.REQUESTS] += times
        self.units[Unit.LOGS] += log_kb * times

    def work(self, milliseconds: float) -> None:
        """Count time of a Worker or an Orchestrator."""
        self.units[Unit.GB_S] += milliseconds / 1000 * MEMORY_GB


def of_dynamodb(run: Run, payloads: Payloads, *, registered: bool = False) -> Usage:
    """Return what the dynamodb engine is billed for a run that has SUCCEEDED.

    A workflow that was registered, rather than declared, is looked up in the table at each start.
    """
    used = Usage()
    tasks = {task.id: task for task in run.tasks}
    waiting = _dependents(run)
    _start(used, run, payloads, registered=registered)
    for task in run.tasks:
        _attempts(used, task, payloads)
        _follow(used, task, [tasks[other] for other in waiting[task.id]], payloads)
    _readied_joins(used, tasks)
    _end(used, sum(not waiting[task.id] for task in run.tasks))
    used.work(MS_PER_REQUEST * sum(used.requests.values()))
    return used


def of_stepfunctions(run: Run, transitions: int, *, registered: bool = False) -> Usage:
    """Return what the stepfunctions engine is billed for a run; `transitions` are those of a run without a retry."""
    used = Usage()
    retries = sum(max(0, task.attempts - 1) for task in run.tasks)
    used.units[Unit.TRANSITIONS] = transitions + retries
    used.invoke(START_LOG_KB)
    if registered:
        used.read("GetItem", [0] * FLOW_LOOKUPS, requests=FLOW_LOOKUPS)
    used.requests["DescribeExecution"] += 1  # is there such a run?
    used.read("GetItem", [0])  # or one of the other engine?
    used.requests["StartExecution"] += 1
    used.work(MS_PER_REQUEST * sum(used.requests.values()))
    return used


def _start(used: Usage, run: Run, payloads: Payloads, *, registered: bool) -> None:
    roots = [task for task in run.tasks if not task.after]
    used.invoke(START_LOG_KB)
    if registered:
        used.read("GetItem", [0])
    used.read("GetItem", [0])  # there is no such run
    used.write("PutItem", INPUT_BYTES + payloads.input)
    used.write("PutItem", RUN_BYTES, indexes=2)
    for _ in roots:
        used.write("PutItem", TASK_BYTES)
    used.send(len(roots))
    used.read("Query", [TASK_BYTES * len(roots)])  # for the answer


def _attempts(used: Usage, task: Task, payloads: Payloads) -> None:
    attempts = max(1, task.attempts)
    inputs = [TASK_BYTES + payloads.of(other) for other in task.after]
    size = TASK_BYTES + ARRIVED_BYTES * len(task.after)
    used.invoke(WORKER_LOG_KB, attempts)
    for attempt in range(1, attempts + 1):
        used.read("BatchGetItem", [RUN_BYTES, size])
        used.read("BatchGetItem", inputs, requests=math.ceil(len(inputs) / ITEMS_AT_ONCE))
        used.read("GetItem", [INPUT_BYTES + payloads.input])
        used.write("UpdateItem", size)  # the claim
        if attempt == attempts:
            used.write("UpdateItem", size + payloads.of(task.id))
        else:
            used.read("GetItem", [RUN_BYTES])  # does the run go on?
            used.write("UpdateItem", size)
            used.send(1)
    took_ms = task.duration_ms(0) or 0  # of the last attempt; the others are taken to have been as long
    used.work(attempts * took_ms)
    if took_ms > Timing.lease_s * 1000:
        for _ in range(attempts * (took_ms // (Timing.heartbeat_s * 1000))):
            used.write("UpdateItem", size)  # its lease is renewed


def _follow(used: Usage, task: Task, dependents: list[Task], payloads: Payloads) -> None:
    """Count what the record of a task's end makes the Orchestrator do, but for joins that are complete by it."""
    used.units[Unit.STREAM] += 1
    used.invoke(RECORD_LOG_KB)
    used.read("BatchGetItem", [RUN_BYTES, TASK_BYTES + payloads.of(task.id)])
    single = [other for other in dependents if len(other.after) == 1]
    for _ in single:
        used.write("PutItem", TASK_BYTES)
    used.send(len(single))
    for _ in range(len(dependents) - len(single)):
        used.write("UpdateItem", TASK_BYTES)  # it is told that this one has arrived


def _readied_joins(used: Usage, tasks: Mapping[str, Task]) -> None:
    """Count what makes joins READY: whichever came last does that for all that it completes."""
    completed: Counter[str] = Counter()
    for task in tasks.values():
        if len(task.after) > 1:
            completed[max(task.after, key=lambda other: tasks[other].finished_at or 0)] += 1
            used.write("UpdateItem", TASK_BYTES + ARRIVED_BYTES * len(task.after))
    for joins in completed.values():
        used.send(joins)


def _end(used: Usage, sinks: int) -> None:
    if sinks > 1:
        for arrived in range(sinks):
            used.write("UpdateItem", RUN_BYTES + ARRIVED_BYTES * arrived)
    used.write("UpdateItem", RUN_BYTES + ARRIVED_BYTES * sinks, indexes=1)  # it leaves the index of open runs


def _dependents(run: Run) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {task.id: [] for task in run.tasks}
    for task in run.tasks:
        for other in task.after:
            found[other].append(task.id)
    return found
