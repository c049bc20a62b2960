"""One simulation: the engine in as many processes as its functions would have, over simulated ports."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from greenlet import getcurrent

from orchestration import failures, payload
from orchestration.catalog import Catalog
from orchestration.engine import Engine
from orchestration.errors import Conflict, IllegalTransition, NotFound, OrchestraError, Refused
from orchestration.model import Run, RunStatus
from orchestration.overdue import REMINDER_MS, Repair
from orchestration.workflow import Workflow
from tests.simulation.delivery import Letter, Record, SimQueue, Stream, WorkerQueue
from tests.simulation.faults import Faults, Outcome
from tests.simulation.judge import Judge
from tests.simulation.scenario import RunPlan, Scenario, bound_ms
from tests.simulation.scheduler import START_MS, Process, Scheduler
from tests.simulation.services import SimServices
from tests.simulation.table import SimStore, Table, Unreachable
from tests.simulation.tape import Tape

T = TypeVar("T")

TICK_MS = 60_000
LIVES_MS = {"worker": 900_000, "stream": 300_000, "request": 300_000, "sweeper": 300_000}
LATENCIES = tuple(1 + i * i // 2000 for i in range(256))  # 1 to 33 ms, mostly few
TAIL = tuple(1 + 2 ** (i // 20) for i in range(256))  # up to 4 s
MAX_SKEW_MS = 8_000
REST_MS = 3 * 86_400_000
"""Within which whatever is still under way has come: a message is delivered again five times, each after 90 minutes."""
OTHER_INPUT = '"other"'
NEWEST = 2
"""The schema of the newer release, where two are at work."""

Coverage = Counter[tuple[str, ...]]


class Lambda(Process):
    """A process of the engine: it has a clock and a release of its own, and its tokens tell who made them."""

    def __init__(self, world: World, kind: str, ended: Callable[[Process], None]) -> None:
        super().__init__(world, kind, LIVES_MS[kind], ended)
        self._world = world
        self.name = f"{kind}-{world.next_number()}"
        self.schema = world.release()
        self.skew = world.skew()
        self.tokens: dict[str, object] = {}
        self.given_back: set[str] = set()  # the tokens of claims of which the service was busy
        self.beating: set[object] = set()  # the threads that renew a lease just now
        self.redrives_from: tuple[int, str] | None = None  # the run's epoch before, and the task that was named
        self._seen: dict[tuple[object, str], RunStatus] = {}

    def engine(self) -> Engine:
        """Return an engine as a fresh process has it: most find a warm environment, which has seen the definitions."""
        world = self._world
        catalog = Catalog(Definitions(world, self))
        if not world.happens(0.1):
            catalog._seen.update(world.definitions)
            catalog._stored.update(world.stored_definitions)
        return Engine(SimStore(world, self), catalog, SimQueue(world, self), Clock(self), Chance(self), world.timing)

    def clock(self) -> int:
        return self._world.now + (self.skew if self._world.faulty else 0)

    def delay(self) -> None:
        self.sleep(self._world.latency())

    def call(self, name: str, act: Callable[[], T]) -> T:
        """Make a call of a port: it takes time, in which others make theirs, and may go wrong."""
        world = self._world
        went = world.outcome(self.kind, name)
        if getcurrent() in self.beating and world.happens(world.faults.beat_unknown):
            went = Outcome.UNKNOWN
        self.sleep(world.latency())
        if went is Outcome.OK:
            return act()
        world.note("call", self, name, went)
        match went:
            case Outcome.CRASH_BEFORE:
                self.die()
            case Outcome.CRASH_AFTER:
                act()
                self.die()
            case Outcome.REFUSED:
                raise Unreachable(f"{name} was refused")
            case Outcome.UNKNOWN:
                seen = dict(self._seen)
                act()
                self._seen = seen
                raise Unreachable(f"no reply from {name}")
            case Outcome.LOST_REPLY:
                act()
                self.sleep(world.latency())
            case Outcome.PAUSE_BEFORE:
                self.sleep(world.pause())
            case Outcome.PAUSE_AFTER:
                result = act()
                self.sleep(world.pause())
                return result
        return act()

    def new_token(self) -> str:
        token = f"{self.name}.{len(self.tokens)}"
        self.tokens[token] = getcurrent()
        return token

    def token(self) -> str:
        """Return the token that this thread has made last."""
        return next((t for t, thread in reversed(self.tokens.items()) if thread is getcurrent()), "")

    def has_seen(self, run: Run) -> None:
        self._seen[getcurrent(), run.run_id] = run.status

    def saw_running(self, run_id: str) -> bool:
        return self._seen.get((getcurrent(), run_id)) is RunStatus.RUNNING


class Clock:
    def __init__(self, process: Lambda) -> None:
        self.now = process.clock
        self._process = process

    def sleep(self, seconds: float) -> None:
        self._process.sleep(round(seconds * 1000))


class Chance:
    def __init__(self, process: Lambda) -> None:
        self.token = process.new_token
        self.jitter = process._world.tape.fraction


class Definitions:
    """The definitions' part of the table, for a process that has not seen them."""

    def __init__(self, world: World, process: Lambda) -> None:
        self._world = world
        self._process = process

    def get_version(self, name: str, version: str) -> str | None:
        return self._process.call("get_version", lambda: self._world.stored_definitions.get(version))

    def put_version(self, workflow: Workflow) -> None:
        put = {workflow.version: workflow.canonical()}
        self._process.call("put_version", lambda: self._world.stored_definitions.update(put))

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(name)


class World(Scheduler):
    def __init__(
        self,
        scenario: Scenario,
        tape: Tape,
        *,
        plan: dict[int, Outcome] | None = None,
        coverage: Coverage | None = None,
        log: list[tuple[object, ...]] | None = None,
    ) -> None:
        super().__init__()
        self.scenario = scenario
        self.tape = tape
        self.plan = plan
        self.log = log
        self.coverage: Coverage = Counter() if coverage is None else coverage
        self.faults: Faults = scenario.faults
        self.faulty = True
        self.healed_at = START_MS + scenario.heal_ms
        self.timing = scenario.timing
        self.calls = 0
        self.poisoned = ""  # the run that nobody can read
        self.repairs: Counter[Repair] = Counter()
        self.sweeps = 0
        self.table = Table(self)
        self.judge = Judge(self)
        self.queue = WorkerQueue(self, scenario.visibility_ms)
        self.stream = Stream(self, scenario.shards, scenario.record_tries)
        self.plans = {plan.run_id: plan for plan in scenario.runs}
        self.definitions = {plan.workflow.version: plan.workflow for plan in scenario.runs}
        self.stored_definitions: dict[str, str] = {}
        self._latencies = TAIL if self.happens(self.faults.slow) else LATENCIES
        self._mixed = self.faults.old_release > 0
        self._tick_at: int | None = None
        self._numbers = 0
        self._redrives = {plan.run_id: list(plan.redrives_after) for plan in scenario.runs}

    # -- chance --------------------------------------------------------------------------------------------------------

    def happens(self, probability: float) -> bool:
        return self.faulty and probability > 0 and self.tape.chance(probability)

    def any_below(self, limit: int) -> int:
        return self.tape.below(limit) if limit > 1 and self.plan is None else 0

    def outcome(self, kind: str, name: str) -> Outcome:
        self.calls += 1
        if self.plan is not None:
            went = self.plan.get(self.calls, Outcome.OK)
        else:
            went = self.faults.of_call(self.tape) if self.faulty else Outcome.OK
        self.coverage[kind, name, went] += 1
        return went

    def latency(self) -> int:
        return self._latencies[self.tape.draw() >> 8]

    def pause(self) -> int:
        """Return for how long a process stands still: long enough for most things to be given up."""
        return 200_000 if self.plan is not None else self.tape.pick((2_000, 30_000, 100_000, 250_000, 1_000_000))

    def release(self) -> int:
        if not self._mixed:
            return 1
        return 1 if self.happens(self.faults.old_release) else NEWEST

    def skew(self) -> int:
        return self.tape.between(-MAX_SKEW_MS, MAX_SKEW_MS) if self.happens(self.faults.skewed) else 0

    def duration_ms(self, run_id: str, task_id: str) -> int:
        return self.plans[run_id].durations[task_id]

    def next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    # -- what is told --------------------------------------------------------------------------------------------------

    def cover(self, *mark: str) -> None:
        self.coverage[mark] += 1

    def note(self, *event: object) -> None:
        if self.log is not None:
            self.log.append((self.now - START_MS, *(e.name if isinstance(e, Lambda) else e for e in event)))

    # -- the whole -----------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Let everything happen. Raises Violated."""
        try:
            for plan in self.scenario.runs:
                self._ask(plan)
            self.at(self.healed_at, self._heal)
            if self.scenario.poisoned_ms is not None:
                self.at(START_MS + self.scenario.poisoned_ms, self._poison)
            asked = max(t for plan in self.scenario.runs for t in (*plan.starts, *plan.cancels, *plan.redrives))
            last = max(self.scenario.heal_ms, asked)
            extra = sum(len(plan.redrives_after) for plan in self.scenario.runs)
            limit = START_MS + last + (1 + extra) * (bound_ms(self.scenario) + 60_000)
            done = self.run(limit)
            self.judge.settle()
            # What comes late, or again, must not change anything.
            if not done and not self.run(limit + REST_MS):
                self.judge.violated("L1", self.scenario.runs[0].run_id, "run", "it does not come to rest")
            self.judge.settle()
        finally:
            self.close()

    def _ask(self, plan: RunPlan) -> None:
        self.judge.expect(plan.run_id, plan.workflow, plan.run_input, OTHER_INPUT)
        for at in plan.starts:
            self.at(START_MS + at, self.start, plan)
        for at in plan.intruders:
            self.at(START_MS + at, self.start, plan, OTHER_INPUT)
        for at in plan.cancels:
            self.at(START_MS + at, self.cancel, plan)
        for at in plan.redrives:
            self.at(START_MS + at, self.redrive, plan)

    def _poison(self) -> None:
        """Let the first run be one that a release of the future has begun, and that nobody here can read."""
        run_id = self.scenario.runs[0].run_id
        if run_id in self.table.runs:
            self.note("poisoned", run_id)
            self.poisoned = run_id
            self.table.poison(run_id)

    def _heal(self) -> None:
        self.note("from now on nothing goes wrong any more")
        self.faulty = False
        self._latencies = LATENCIES
        self.table.catch_up()
        for plan in self.scenario.runs:
            if plan.run_id not in self.table.runs:
                self.start(plan)

    # -- processes -----------------------------------------------------------------------------------------------------

    def request(self, plan: RunPlan, name: str, ask: Callable[[Engine], object], from_task: str | None = None) -> None:
        """Let the Orchestrator answer a request. Whoever asked does not insist."""
        process = Lambda(self, "request", lambda _: None)
        run = self.table.runs.get(plan.run_id)
        if from_task is not None and run is not None:
            process.redrives_from = (run.epoch, from_task)

        def body() -> None:
            self.note(name, process, plan.run_id)
            try:
                ask(process.engine())
            except Refused as refusal:
                self.cover("request", name, type(refusal).__name__)
                self.note("refused", process, str(refusal))
            except Exception as exc:  # noqa: BLE001 - it is judged
                self.errored(process, exc)

        process.run(body)

    def start(self, plan: RunPlan, run_input: str | None = None) -> None:
        """Start a run, or one of the same id with another input: who comes second is refused."""
        text = plan.run_input if run_input is None else run_input

        def ask(engine: Engine) -> None:
            engine.start(plan.workflow, plan.run_id, text)
            if self.table.runs[plan.run_id].input_digest != payload.digest(text):
                self.judge.violated("S14", plan.run_id, "run", "started once more, with another input")

        self.request(plan, "start", ask)

    def cancel(self, plan: RunPlan) -> None:
        self.judge.canceled.add(plan.run_id)

        def ask(engine: Engine) -> None:
            before = self.table.runs.get(plan.run_id)
            engine.cancel(plan.run_id)
            self.judge.answered_cancel(before, self.table.runs[plan.run_id])

        self.request(plan, "cancel", ask)

    def redrive(self, plan: RunPlan) -> None:
        task_id = self.tape.pick(tuple(plan.workflow.tasks)) if plan.from_a_task else None

        def ask(engine: Engine) -> None:
            before = self.table.runs.get(plan.run_id)
            try:
                engine.redrive(plan.run_id, task_id)
            except Conflict:
                self.judge.refused_redrive(before, self.table.runs[plan.run_id], task_id)
                raise
            self.judge.answered_redrive(before, self.table.runs[plan.run_id])

        self.request(plan, "redrive", ask, task_id)

    def run_written(self, run: Run) -> None:
        """See to it that the sweeper comes when it should, and that the user sees the end of his run."""
        if run.check_at is not None:
            self._wake_sweeper(run.check_at)
        elif run.status is not RunStatus.SUCCEEDED and self._redrives[run.run_id]:
            after = self._redrives[run.run_id].pop(0)
            self.at(self.now + after, self.redrive, self.plans[run.run_id])

    def work(self, batch: Sequence[Letter]) -> None:
        """Let one worker run the tasks of a batch of messages, side by side."""
        failed: list[Letter] = list(batch)

        def ended(process: Process) -> None:
            if process.killed:
                self.cover(process.kind, process.killed)
            self.queue.worked(batch, failed)

        process = Lambda(self, "worker", ended)
        engine, services = process.engine(), SimServices(self, process)

        def body(letter: Letter) -> None:
            try:
                engine.execute(letter.message, services)
                failed.remove(letter)
            except Exception as exc:  # noqa: BLE001 - it is judged
                self.errored(process, exc)
                if not failures.is_mendable(exc):
                    failed.remove(letter)  # it is set aside

        process.run(*(lambda letter=letter: body(letter) for letter in batch))

    def advance(self, batch: Sequence[Record], delivered: Callable[[int], None]) -> None:
        """Let the Orchestrator handle records, and tell up to where it came."""
        failed: list[int] = []

        def ended(process: Process) -> None:
            if process.killed:
                self.cover(process.kind, process.killed)
            delivered(0 if process.killed else min(failed, default=len(batch)))

        process = Lambda(self, "stream", ended)
        engine = process.engine()

        def body() -> None:
            for i, record in enumerate(batch):
                try:
                    engine.advance(*record)
                except Exception as exc:  # noqa: BLE001 - it is judged
                    self.errored(process, exc)
                    if failures.is_mendable(exc):
                        failed.append(i)

        process.run(body)

    def _wake_sweeper(self, check_at: int) -> None:
        """Let the sweeper come at the first tick at which it can find something: the others would do nothing."""
        tick = max(-(-(check_at - MAX_SKEW_MS) // TICK_MS), self.now // TICK_MS + 1) * TICK_MS
        if self._tick_at is None or tick < self._tick_at:
            self._tick_at = tick
            self.at(tick, self._tick, tick)

    def _tick(self, tick: int) -> None:
        if self._tick_at != tick:
            return  # another one was set sooner
        self._tick_at = None
        for run_id in self.plans.keys() - {self.poisoned}:
            settled = self.now > self.healed_at + max(self.timing.grace_ms, REMINDER_MS) + 5 * TICK_MS
            self.judge.look(run_id, stuck=settled)
        if self.happens(self.faults.tick_missed):
            self.cover("sweeper", "missed")
        else:
            for _ in range(2 if self.happens(self.faults.tick_twice) else 1):
                self._sweep()
        stored = ((run_id, run.check_at) for run_id, run in self.table.runs.items())
        times = [
            at for run_id, at in (*self.table.index.items(), *stored) if at is not None and run_id != self.poisoned
        ]
        if times:
            self._wake_sweeper(min(times))

    def _sweep(self) -> None:
        self.sweeps += 1
        process = Lambda(self, "sweeper", self._swept)
        process.run(lambda: self.sweep(process, process.engine()))

    def _swept(self, process: Process) -> None:
        if process.killed:
            self.cover(process.kind, process.killed)

    def sweep(self, process: Lambda, engine: Engine) -> None:
        """Do as the Sweeper does: what is wrong with one run is no other's concern."""
        try:
            due = list(engine.store.overdue(engine.clock.now()))
        except Unreachable:
            return
        first = self.any_below(len(due))
        for run_id in (*due[first:], *due[:first]):
            try:
                swept = engine.sweep(run_id)
            except Exception as exc:  # noqa: BLE001 - it is judged
                self.errored(process, exc)
                continue
            self.repairs.update(swept.repairs)
            for repair in swept.repairs:
                self.cover("repair", repair)
            if swept.repairs:
                self.note("repaired", process, run_id, *map(str, swept.repairs))

    def errored(self, process: Lambda, error: Exception) -> None:
        """Judge an error of a handler: what the ports raise is expected, and what an old release refuses."""
        self.cover(process.kind, "error", type(error).__name__)
        self.note("error", process, f"{type(error).__name__}: {error}")
        expected = isinstance(error, Unreachable | Conflict | NotFound) or (
            (self._mixed or self.poisoned) and type(error) is OrchestraError
        )
        if not expected or isinstance(error, IllegalTransition):
            self.judge.failed(process, error)


def digest(log: Sequence[tuple[object, ...]]) -> str:
    """Return the hash of an event log: equal logs, equal hashes."""
    return hashlib.sha256(repr(log).encode()).hexdigest()
