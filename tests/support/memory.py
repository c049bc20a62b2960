"""The engine's ports in memory: the store with DynamoDB's conditions, a queue, task services, a clock that is set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orchestration import codec, payload
from orchestration.catalog import Entry
from orchestration.errors import Missing, PayloadTooLarge
from orchestration.model import Failure, Handoff, Run, RunStatus, TaskState, TaskStatus
from orchestration.payload import Json
from orchestration.queue import Message
from orchestration.store import Change, OpenRuns, Outcome, Page, R, Saved, Stale
from orchestration.tasks import NotRun, Raised, Result, Returned
from orchestration.workflow import Workflow


class MemoryStore:
    """A table: records by key, every write conditional. `stream` gets the keys of the writes that the filter passes."""

    def __init__(self) -> None:
        self.records: dict[str, Run | TaskState] = {}
        self.inputs: dict[str, str] = {}
        self.stream: list[tuple[str, str]] = []
        self.history: list[tuple[Run | TaskState | None, Run | TaskState]] = []

    def get_run(self, run_id: str) -> Run | None:
        run = self.records.get(_key(codec.run_key(run_id)))
        assert run is None or isinstance(run, Run)
        return run

    def get_run_and_task(self, run_id: str, task_id: str) -> tuple[Run | None, TaskState]:
        task = self.records.get(_key(codec.task_key(run_id, task_id)), TaskState(run_id=run_id, task_id=task_id))
        assert isinstance(task, TaskState)
        return self.get_run(run_id), task

    def get_tasks(self, run_id: str) -> Mapping[str, TaskState]:
        tasks = [t for t in self.records.values() if isinstance(t, TaskState) and t.run_id == run_id]
        return {t.task_id: replace(t, output=None) for t in sorted(tasks, key=lambda t: t.task_id)}

    def get_outputs(self, run_id: str, task_ids: Sequence[str], max_bytes: int) -> Mapping[str, str]:
        found = (self.get_run_and_task(run_id, task_id)[1] for task_id in task_ids)
        outputs = {task.task_id: task.output for task in found if task.output is not None}
        if sum(len(output.encode()) for output in outputs.values()) > max_bytes:
            raise PayloadTooLarge(f"the outputs of {len(task_ids)} tasks are more than {max_bytes} bytes together")
        return outputs

    def get_input(self, run: Run) -> str:
        text = self.inputs.get(_key(codec.input_key(run.run_id, run.input_digest)))
        if text is None:
            raise Missing(f"{run.run_id}: the run's input is missing")
        return text

    def put_input(self, run_id: str, digest: str, text: str) -> None:
        self.inputs[_key(codec.input_key(run_id, digest))] = text

    def delete_input(self, run_id: str, digest: str) -> None:
        self.inputs.pop(_key(codec.input_key(run_id, digest)), None)

    def save(self, changes: Sequence[Change[R]]) -> Sequence[Outcome[R]]:
        return [self._save(change) for change in changes]

    def arrive(self, joins: Sequence[R], index: int) -> Sequence[Outcome[R]]:
        return [self._arrive(join, index) for join in joins]

    def list_runs(self, workflows: Sequence[str], limit: int, before: str | None) -> Page:
        runs = [r for r in self.records.values() if isinstance(r, Run) and r.workflow in workflows]
        earlier = [r for r in runs if before is None or r.position < before]
        page = sorted(earlier, key=lambda r: r.position, reverse=True)[:limit]
        return Page(page, page[-1].position if len(page) == limit else None)

    def overdue(self, now: int) -> Iterator[str]:
        runs = [r for r in self.records.values() if isinstance(r, Run)]
        yield from (r.run_id for r in runs if r.check_at is not None and r.check_at <= now)

    def open_runs(self) -> OpenRuns:
        due = [r.check_at for r in self.records.values() if isinstance(r, Run) and r.check_at is not None]
        return OpenRuns(len(due), min(due, default=None))

    def _stored(self, record: R) -> R | None:
        stored = self.records.get(_key(codec.key_of(record)))
        assert stored is None or isinstance(stored, type(record))
        return stored

    def _save(self, change: Change[R]) -> Outcome[R]:
        stored = self._stored(change.old)
        expected = {} if change.old.version == 0 else codec.guards(change.old)
        held = {} if stored is None else codec.encode(stored)
        if (stored is None) != (change.old.version == 0) or any(held.get(n) != v for n, v in expected.items()):
            return Saved(change.new) if stored == change.new else Stale(stored)
        self._write(stored, change.new)
        return Saved(change.new)

    def _arrive(self, join: R, index: int) -> Outcome[R]:
        stored = self._stored(join)
        waiting = RunStatus.RUNNING if isinstance(join, Run) else TaskStatus.PENDING
        current: Any = stored
        if stored is None and isinstance(join, TaskState):
            current = TaskState(run_id=join.run_id, task_id=join.task_id)
        if current is None or current.status is not waiting or index in current.arrived:
            return Stale(stored)
        arrived: R = replace(current, arrived=current.arrived | {index}, version=current.version + 1)
        self._write(stored, arrived)
        return Saved(arrived)

    def _write(self, old: Run | TaskState | None, new: Run | TaskState) -> None:
        self.records[_key(codec.key_of(new))] = new
        self.history.append((old, new))
        if isinstance(new, TaskState) and new.handoff is Handoff.STREAM:
            self.stream.append((new.run_id, new.task_id))


class MemoryDefinitions:
    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], str] = {}
        self.registered: dict[str, Entry] = {}

    def get_version(self, name: str, version: str) -> str | None:
        return self.versions.get((name, version))

    def put_version(self, workflow: Workflow) -> None:
        self.versions[workflow.name, workflow.version] = workflow.canonical()

    def get_registration(self, name: str) -> Entry | None:
        return self.registered.get(name)

    def put_registration(self, entry: Entry) -> None:
        before = self.registered.get(entry.name)
        kept = entry.flow or (before.flow if before else None)
        self.registered[entry.name] = replace(entry, flow=kept)

    def registrations(self) -> Iterator[Entry]:
        yield from self.registered.values()


@dataclass
class MemoryQueue:
    messages: list[Message] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)  # of each message that was sent

    def send(self, messages: Sequence[Message], delay_s: int = 0) -> None:
        self.messages += messages
        self.delays += [delay_s] * len(messages)
        self._delay.update(dict.fromkeys(messages, delay_s))

    def delay_s(self, message: Message) -> int:
        """Return the delay with which this message was sent last."""
        return self._delay.get(message, 0)

    _delay: dict[Message, int] = field(default_factory=dict)


@dataclass
class FakeServices:
    """Runs a function of the event in place of a service; an exception of it is the task's failure.

    It may return NotRun: the service is busy then.
    """

    run: Callable[[Mapping[str, Json]], Json | NotRun] = lambda event: event["task_id"]
    calls: list[tuple[str, Mapping[str, Json], float]] = field(default_factory=list)

    def invoke(self, service: str, event: Mapping[str, Json], timeout_s: float, beat: Callable[[], None]) -> Result:
        self.calls.append((service, event, timeout_s))
        try:
            result = self.run(event)
            return result if isinstance(result, NotRun) else Returned(payload.dump(result, what="the task's output"))
        except Exception as exc:  # noqa: BLE001 - whatever a task raises is its failure
            return Raised(Failure(type(exc).__name__, str(exc)))


@dataclass
class FakeClock:
    time: int = 1_000_000

    def now(self) -> int:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += round(seconds * 1000)


@dataclass
class FakeChance:
    """Tokens `token-1`, `token-2`, ...; the jitter that the test sets."""

    tokens: int = 0
    jitter_value: float = 1.0

    def token(self) -> str:
        self.tokens += 1
        return f"token-{self.tokens}"

    def jitter(self) -> float:
        return self.jitter_value


def _key(key: Mapping[str, Any]) -> str:
    return "/".join(key[name]["S"] for name in codec.KEY)
