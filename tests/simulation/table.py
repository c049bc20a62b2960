"""The table: conditional writes, an index that lags, and the store port through which one process sees them.

The semantics are DynamoDB's as `orchestration/store.py` uses them; that these are so is what `test_store.py` checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from orchestration.errors import Missing, OrchestraError
from orchestration.model import Handoff, Run, RunStatus, TaskState, TaskStatus
from orchestration.store import Change, OpenRuns, Outcome, Page, R, Saved, Stale

if TYPE_CHECKING:
    from tests.simulation.world import Lambda, World

T = TypeVar("T")
U = TypeVar("U")


FUTURE = 99
"""A schema that no release of the simulation knows."""


class Unreachable(ConnectionError):
    """The SDK gave up: throttled, or no reply."""


class Table:
    def __init__(self, world: World) -> None:
        self._world = world
        self.runs: dict[str, Run] = {}
        self.tasks: dict[str, dict[str, TaskState]] = {}
        self.lean: dict[str, dict[str, TaskState]] = {}  # without outputs, as a query returns them
        self.inputs: dict[tuple[str, str], str] = {}
        self.index: dict[str, int] = {}  # when to look at each open run, as the index has it
        self._newer: dict[tuple[str, str], int] = {}  # the schema of what a newer release has written
        self._indexed_at: dict[str, int] = {}
        self._indexed: dict[str, int] = {}  # versions
        self.stale = 0  # how many conditions have failed, but for a lost reply

    def is_readable(self, run_id: str, task_id: str, schema: int) -> bool:
        return self._newer.get((run_id, task_id), 1) <= schema

    def require_readable(self, run_id: str, task_id: str, schema: int) -> None:
        if self._newer and not self.is_readable(run_id, task_id, schema):
            raise OrchestraError(f"{run_id}/{task_id}: of a newer schema than this release knows")

    def poison(self, run_id: str) -> None:
        """Write a run as a release does that nobody here knows."""
        self.runs[run_id] = replace(self.runs[run_id], version=self.runs[run_id].version + 1)
        self._newer[run_id, ""] = FUTURE

    def write(self, old: Run | TaskState | None, new: Run | TaskState, by: Lambda) -> None:
        task_id = new.task_id if isinstance(new, TaskState) else ""
        self._world.judge.written(old, new, by, readable=self.is_readable(new.run_id, task_id, by.schema))
        if by.schema > 1:
            self._newer[new.run_id, task_id] = by.schema
        if isinstance(new, TaskState):
            self.tasks.setdefault(new.run_id, {})[new.task_id] = new
            lean = new if new.output is None else replace(new, output=None)
            self.lean.setdefault(new.run_id, {})[new.task_id] = lean
            if new.handoff is Handoff.STREAM:
                self._world.stream.append((new.run_id, new.task_id))
        else:
            self.runs[new.run_id] = new
            self._index(new)
            self._world.run_written(new)

    def _index(self, run: Run) -> None:
        world = self._world
        late = world.tape.between(100, 300_000) if world.happens(world.faults.index_late) else 0
        # Late as it may be, an index applies the writes of one item in their order.
        at = max(world.now + late, self._indexed_at.get(run.run_id, 0))
        if at <= world.now:
            self._into_index(run)
        else:
            self._indexed_at[run.run_id] = at
            world.at(at, self._into_index, run)

    def catch_up(self) -> None:
        """Let the index have all that is stored."""
        for run in self.runs.values():
            self._into_index(run)

    def _into_index(self, run: Run) -> None:
        if self._indexed.get(run.run_id, 0) > run.version:
            return  # it has caught up meanwhile
        self._indexed[run.run_id] = run.version
        if run.check_at is None:
            self.index.pop(run.run_id, None)
        else:
            self.index[run.run_id] = run.check_at


class SimStore:
    """What one process sees of the table, through a network that fails."""

    def __init__(self, world: World, process: Lambda) -> None:
        self._world = world
        self._table = world.table
        self._process = process
        self._call = process.call

    # -- reads ---------------------------------------------------------------------------------------------------------

    def get_run(self, run_id: str) -> Run | None:
        return self._call("get_run", lambda: self._run(run_id))

    def get_run_and_task(self, run_id: str, task_id: str) -> tuple[Run | None, TaskState]:
        if not self._world.happens(self._world.faults.torn):
            return self._call("get_run_and_task", lambda: (self._run(run_id), self._task(run_id, task_id)))
        if self._world.tape.below(2):
            run = self._call("get_run_and_task", lambda: self._run(run_id))
            self._tear()
            return run, self._task(run_id, task_id)
        task = self._call("get_run_and_task", lambda: self._task(run_id, task_id))
        self._tear()
        return self._run(run_id), task

    def get_tasks(self, run_id: str) -> Mapping[str, TaskState]:
        pages = self._call("get_tasks", lambda: self._page(run_id))
        if self._world.happens(self._world.faults.torn):
            # A query answers in pages, in order of id, and much can happen between two of them.
            last = self._world.tape.pick(sorted(pages) or [""])
            self._tear()
            rest = {t: task for t, task in self._page(run_id).items() if t > last}
            pages = {**{t: task for t, task in pages.items() if t <= last}, **rest}
        return pages

    def get_outputs(self, run_id: str, task_ids: Sequence[str], max_bytes: int) -> Mapping[str, str]:
        if not task_ids:
            return {}
        found = self._call("get_outputs", lambda: [self._task(run_id, task_id) for task_id in task_ids])
        return {task.task_id: task.output for task in found if task.output is not None}

    def get_input(self, run: Run) -> str:
        text = self._call("get_input", lambda: self._table.inputs.get((run.run_id, run.input_digest)))
        if text is None:
            raise Missing(f"{run.run_id}: the run's input is missing")
        return text

    def list_runs(self, workflows: Sequence[str], limit: int, before: str | None) -> Page:
        raise NotImplementedError

    def overdue(self, now: int) -> Iterator[str]:
        yield from self._call("overdue", lambda: [r for r, at in sorted(self._table.index.items()) if at <= now])

    def open_runs(self) -> OpenRuns:
        raise NotImplementedError

    def _tear(self) -> None:
        """Let time pass between two parts of one read: what is left over is asked for again, after a while."""
        self._process.sleep(self._world.tape.between(1, 5_000))

    def _run(self, run_id: str) -> Run | None:
        self._table.require_readable(run_id, "", self._process.schema)
        run = self._table.runs.get(run_id)
        if run is not None:
            self._process.has_seen(run)
        return run

    def _task(self, run_id: str, task_id: str) -> TaskState:
        self._table.require_readable(run_id, task_id, self._process.schema)
        task = self._table.tasks.get(run_id, {}).get(task_id)
        return task or TaskState(run_id=run_id, task_id=task_id)

    def _page(self, run_id: str) -> dict[str, TaskState]:
        tasks = self._table.lean.get(run_id, {})
        for task_id in tasks:
            self._table.require_readable(run_id, task_id, self._process.schema)
        return dict(tasks)

    # -- writes --------------------------------------------------------------------------------------------------------

    def put_input(self, run_id: str, digest: str, text: str) -> None:
        self._call("put_input", lambda: self._table.inputs.update({(run_id, digest): text}))

    def delete_input(self, run_id: str, digest: str) -> None:
        self._call("delete_input", lambda: self._table.inputs.pop((run_id, digest), None))

    def save(self, changes: Sequence[Change[R]]) -> Sequence[Outcome[R]]:
        return self._each("save", self._save, changes)

    def arrive(self, joins: Sequence[R], index: int) -> Sequence[Outcome[R]]:
        return self._each("arrive", lambda join: self._arrive(join, index), joins)

    def _each(self, name: str, write: Callable[[T], U], things: Sequence[T]) -> list[U]:
        """Make one call for each: they run side by side, so that one which fails stops no other."""
        if len(things) == 1:
            return [self._call(name, lambda: write(things[0]))]
        done: dict[int, U] = {}
        failed: list[Exception] = []
        first = self._world.any_below(len(things))
        for i in (*range(first, len(things)), *range(first)):
            try:
                done[i] = self._call(name, lambda i=i: write(things[i]))  # type: ignore[misc]
            except (Unreachable, OrchestraError) as exc:
                failed.append(exc)
        if failed:
            raise failed[0]
        return [done[i] for i in range(len(things))]

    def _stored(self, record: R) -> R | None:
        found: Any
        if isinstance(record, TaskState):
            found = self._table.tasks.get(record.run_id, {}).get(record.task_id)
        else:
            found = self._table.runs.get(record.run_id)
        return found  # type: ignore[no-any-return]

    def _save(self, change: Change[R]) -> Outcome[R]:
        old, new = change.old, change.new
        stored = self._stored(old)
        if (stored is None) if old.version == 0 else (stored is not None and self.holds(old, stored)):
            written = new if stored is None or stored is old or stored == old else _updated(stored, old, new)
            self._table.write(stored, written, self._process)
            return Saved(new)
        return self._stale(stored, new)

    @staticmethod
    def holds(old: R, stored: R) -> bool:
        """Tell whether the condition of a write that was decided on `old` holds: see `codec.guards`."""
        if stored.version != old.version:
            return False
        if not isinstance(old, TaskState) or not isinstance(stored, TaskState) or old.attempt == 0:
            return True
        return stored.attempt == old.attempt and old.owner in {None, stored.owner}

    def _stale(self, stored: R | None, new: R) -> Outcome[R]:
        if stored is not None:
            task_id = stored.task_id if isinstance(stored, TaskState) else ""
            self._table.require_readable(stored.run_id, task_id, self._process.schema)
            if stored == new:
                return Saved(new)  # we wrote it, and the reply was lost
        self._table.stale += 1
        return Stale(stored)

    def _arrive(self, join: R, index: int) -> Outcome[R]:
        stored = self._stored(join)
        current: Any = stored
        if stored is None and isinstance(join, TaskState):
            current = TaskState(run_id=join.run_id, task_id=join.task_id)
        waiting = RunStatus.RUNNING if isinstance(join, Run) else TaskStatus.PENDING
        if current is not None and stored is not None:
            task_id = stored.task_id if isinstance(stored, TaskState) else ""
            self._table.require_readable(stored.run_id, task_id, self._process.schema)
        if current is None or current.status is not waiting or index in current.arrived:
            self._table.stale += stored is None or index not in stored.arrived
            return Stale(stored)
        arrived: R = replace(current, arrived=current.arrived | {index}, version=current.version + 1)
        self._table.write(stored, arrived, self._process)
        return Saved(arrived)


def _updated(stored: R, old: R, new: R) -> R:
    """Return what an update leaves, which sets the attributes that differ between `old` and `new`, and no other."""
    names = [f.name for f in fields(new)]
    return replace(stored, **{n: getattr(new, n) for n in names if getattr(new, n) != getattr(old, n)})
