"""What one simulation is about: the workflows, what their users ask for and when, the faults, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestration.overdue import REMINDER_MS
from orchestration.timing import Timing
from orchestration.workflow import Retry, Task, Workflow
from tests.simulation import faults
from tests.simulation.faults import Faults
from tests.simulation.tape import Tape

DEFAULT = Timing()
HASTY = Timing(grace_s=10, lease_slack_s=10)  # as the local target has it
NO_RETRY = Retry()
NEVER_MS = 100_000_000


@dataclass(frozen=True)
class RunPlan:
    """One run, and what is asked of it: times are in ms from the start of the simulation."""

    run_id: str
    workflow: Workflow
    run_input: str
    durations: Mapping[str, int]  # in ms, by task
    starts: tuple[int, ...] = (0,)
    intruders: tuple[int, ...] = ()  # starts of the same id with another input
    cancels: tuple[int, ...] = ()
    redrives: tuple[int, ...] = ()  # at any time
    redrives_after: tuple[int, ...] = ()  # so long after it has FAILED or was CANCELED: the user saw it
    from_a_task: bool = False


@dataclass(frozen=True, kw_only=True)
class Scenario:
    runs: tuple[RunPlan, ...]
    faults: Faults = field(default_factory=Faults)
    heal_ms: int = 0  # from then on nothing goes wrong any more
    timing: Timing = DEFAULT
    shards: int = 1
    record_tries: int = 50
    poisoned_ms: int | None = None  # when the first run becomes unreadable for every release that is at work
    visibility_ms: int = 5_400_000


def drawn(tape: Tape) -> Scenario:
    """Return a scenario with any faults at all."""
    rates = faults.drawn(tape)
    heal_ms = 1000 * tape.pick((300, 120, 900, 2400))
    runs = tuple(_run(tape, f"run-{i}", heal_ms) for i in range(tape.pick((1, 1, 1, 2))))
    return Scenario(
        runs=runs,
        faults=rates,
        heal_ms=heal_ms,
        timing=tape.pick((DEFAULT, DEFAULT, HASTY)),
        shards=tape.pick((1, 2, 4)),
        record_tries=tape.pick((50, 4, 2)),
        poisoned_ms=tape.between(0, 20_000) if len(runs) > 1 and tape.below(2) else None,
        visibility_ms=1000 * tape.pick((5400, 30, 300)),
    )


def quiet(tape: Tape, rates: Faults) -> Scenario:
    """Return a scenario in which nobody interferes, with these faults only."""
    workflow = drawn_workflow(tape, deadlines=False)
    run = RunPlan("run-0", workflow, '"input"', _durations(tape, workflow), starts=(tape.between(0, 60_000),))
    # With clocks that are wrong by more than the slack of a lease, the promise is another.
    timing = DEFAULT if rates.skewed else tape.pick((DEFAULT, HASTY))
    return Scenario(runs=(run,), faults=rates, heal_ms=NEVER_MS, timing=timing, shards=tape.pick((1, 2, 4)))


def busy_users(tape: Tape) -> Scenario:
    """Return a scenario in which users cancel and redrive, and tasks fail; nothing else goes wrong."""
    run = _run(tape, "run-0", 60_000)
    timing = tape.pick((DEFAULT, HASTY))
    rates = Faults(error=0.2, busy=0.1, skewed=0.0 if timing is HASTY else 0.5)
    return Scenario(runs=(run,), faults=rates, heal_ms=NEVER_MS, timing=timing, shards=tape.pick((1, 2, 4)))


def epochs(tape: Tape) -> Scenario:
    """Return a scenario of small runs that end and are redriven again and again, under handlers that stand still."""
    rates = Faults(
        crash=0.02,
        refused=0.02,
        pause=0.12,
        message_twice=0.2,
        record_lost=0.1,
        records_again=0.3,
        torn=0.5,
        error=0.5,
        tick_twice=0.3,
    )
    size = 2 + tape.below(3)
    after = {f"t{i}": [f"t{j}" for j in range(i) if tape.chance(0.3)] for i in range(size)}
    workflow = Workflow("epochs", {t: Task("s", after=a, timeout_s=10) for t, a in after.items()})
    run = RunPlan(
        "run-0",
        workflow,
        '"input"',
        _durations(tape, workflow),
        cancels=tuple(tape.between(0, 400_000) for _ in range(tape.below(3))),
        redrives_after=tuple(tape.between(0, tape.pick((200, 20_000, 300_000))) for _ in range(4)),
    )
    return Scenario(runs=(run,), faults=rates, heal_ms=1_200_000, timing=HASTY, shards=tape.pick((1, 4)))


def zombies(tape: Tape) -> Scenario:
    """Return a scenario of long tasks, whose workers stand still for longer than their leases last."""
    rates = Faults(crash=0.02, unknown=0.05, pause=0.15, message_twice=0.3, error=0.2, cut_off=0.1, beat_unknown=0.2)
    after: dict[str, list[str]] = {"t0": [], "t1": ["t0"] if tape.below(2) else []}
    retry = Retry(max_attempts=4, delay_s=1)
    workflow = Workflow("zombies", {t: Task("s", after=a, timeout_s=400, retry=retry) for t, a in after.items()})
    durations = {t: tape.between(1_000, 390_000) for t in after}
    run = RunPlan("run-0", workflow, '"input"', durations, redrives_after=(tape.between(0, 60_000),))
    return Scenario(runs=(run,), faults=rates, heal_ms=2_400_000, shards=tape.pick((1, 2)))


def diamond() -> Scenario:
    """The reference workflow, for what is enumerated: nothing in it is left to chance."""
    after = {"A": (), "B1": ("A",), "B2": ("A",), "B3": ("A",), "C": ("B1", "B2", "B3")}
    tasks = {t: Task("s", after=a, timeout_s=100) for t, a in after.items()}
    durations = {"A": 50, "B1": 40, "B2": 50, "B3": 70_000, "C": 10}
    run = RunPlan("run-0", Workflow("abc", tasks), '"input"', durations)
    return Scenario(runs=(run,), heal_ms=NEVER_MS)


def canceled() -> Scenario:
    """The same, canceled while it is in its middle, and redriven as soon as it has ended."""
    (run,) = diamond().runs
    return Scenario(runs=(replace(run, cancels=(70,), redrives_after=(100,)),), heal_ms=NEVER_MS)


def _run(tape: Tape, run_id: str, heal_ms: int) -> RunPlan:
    workflow = drawn_workflow(tape, deadlines=True)
    asked = tape.draw() >> 8  # which things are asked for: eight bits
    span = heal_ms if asked & 1 else 20_000

    def times(wanted: bool, most: int, latest: int = span) -> tuple[int, ...]:  # noqa: FBT001
        return tuple(tape.between(0, latest) for _ in range(1 + tape.below(most))) if wanted else ()

    return RunPlan(
        run_id,
        workflow,
        '{"n":1}',
        _durations(tape, workflow),
        starts=(tape.between(0, 60_000), *times(asked & 6 == 6, 2)),
        intruders=times(asked & 56 == 56, 1),
        cancels=times(asked & 10 == 10, 2),
        redrives=times(asked & 20 == 20, 2),
        redrives_after=times(asked & 160 in {32, 128}, 3, tape.pick((100, 10_000, span))),
        from_a_task=asked & 192 == 192,
    )


def drawn_workflow(tape: Tape, *, deadlines: bool) -> Workflow:
    shape = tape.below(8)
    if shape == 1:
        after = {"A": [], "B1": ["A"], "B2": ["A"], "B3": ["A"], "C": ["B1", "B2", "B3"]}
    else:
        size = 1 + tape.below(8)
        density = tape.pick((0.3, 0.15, 0.6))
        after = {f"t{i}": [f"t{j}" for j in range(i) if tape.chance(density)] for i in range(size)}
    tasks = {task_id: _task(tape, before, deadlines=deadlines) for task_id, before in after.items()}
    timeout = (60, 300, 3_600)[tape.below(3)] if deadlines and tape.chance(0.1) else None
    return Workflow("drawn", tasks, timeout)


def _task(tape: Tape, after: list[str], *, deadlines: bool) -> Task:
    timeout_s = tape.pick((10, 60, 10, 200, 840))
    retry, once = NO_RETRY, False
    match tape.below(12):
        case 1 | 2 | 3:
            retry = Retry(max_attempts=2 + tape.below(4), delay_s=tape.pick((1, 0, 30)))
        case 4 | 5:
            retry = Retry(max_attempts=2, on=["Boom"])
        case 6:
            retry = Retry(max_attempts=3, delay_s=1_800, max_delay_s=tape.pick((3_600, 86_400)), backoff=10)
        case 7 | 8:
            once = True
    total = tape.pick((30, 200, 2_000)) if deadlines and tape.chance(0.07) else None
    return Task("s", after=after, timeout_s=timeout_s, retry=retry, total_timeout_s=total, at_most_once=once)


def _durations(tape: Tape, workflow: Workflow) -> dict[str, int]:
    """Most tasks are short, some take nearly all the time that they may."""
    found = {}
    for task_id, task in workflow.tasks.items():
        most = 950 * task.timeout_s if tape.chance(0.25) else 2_000
        found[task_id] = tape.between(10, most)
    return found


def bound_ms(scenario: Scenario) -> int:
    """Return how long the runs of a scenario may take once nothing goes wrong any more.

    Each task on the longest way may have to wait for an attempt that was put off before, and then takes its time. What
    got lost before is found when its grace or its lease is over, by the sweep after next; that a function is killed for
    standing still takes until its own timeout. A message that was lost again and again is sent once more after the
    longest interval.
    """
    timing = scenario.timing
    lost = 1000 * (timing.grace_s + timing.lease_s + timing.lease_slack_s) + 4 * 60_000
    return max(900_000 + REMINDER_MS + 3 * lost + _longest_ms(plan.workflow, lost) for plan in scenario.runs)


def _longest_ms(workflow: Workflow, lost: int) -> int:
    ends: dict[str, int] = {}
    while len(ends) < len(workflow.tasks):
        for task_id, task in workflow.tasks.items():
            if task_id not in ends and all(t in ends for t in task.after):
                put_off = max(task.retry.max_delay_s if task.retry.max_attempts > 1 else 60, 300)
                own = round(1000 * (put_off + task.timeout_s)) + lost
                ends[task_id] = own + max((ends[t] for t in task.after), default=0)
    return max(ends.values())
