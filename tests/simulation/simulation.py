"""One simulation: of a seed, or of a tape. What it may meet is its mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from orchestration.model import RunStatus
from orchestration.overdue import Repair
from tests.simulation import scenario
from tests.simulation.faults import Faults
from tests.simulation.scenario import Scenario
from tests.simulation.tape import Tape
from tests.simulation.world import Coverage, World

Log = list[tuple[object, ...]]


class Mode(StrEnum):
    FAULTS = "faults"  # any, until all is healed
    QUIET = "quiet"  # none: the sweeper has nothing to do
    REPLIES = "replies"  # only replies get lost: nothing is tried again
    BEATS = "beats"  # renewals of leases seem to fail, and have not: no result gets lost
    COPIES = "copies"  # only messages and records come twice: nothing is done twice
    CLOCKS = "clocks"  # clocks are wrong, reads torn, the index and the sweeper late: all of it harmless
    USERS = "users"  # cancels, redrives, and tasks that fail: the sweeper has nothing to do
    EPOCHS = "epochs"  # runs that are redriven again and again
    ZOMBIES = "zombies"  # long tasks, and workers that stand still for longer than their leases last


COPIES = Faults(message_twice=0.3, message_again=0.3, records_again=0.3)
CLOCKS = Faults(skewed=1, slow=0.5, torn=0.5, index_late=0.5, tick_missed=0.3, tick_twice=0.3)
SCENARIOS: Mapping[Mode, Callable[[Tape], Scenario]] = {
    Mode.FAULTS: scenario.drawn,
    Mode.QUIET: lambda tape: scenario.quiet(tape, Faults()),
    Mode.REPLIES: lambda tape: scenario.quiet(tape, Faults(lost_reply=0.2)),
    Mode.BEATS: lambda tape: scenario.quiet(tape, Faults(beat_unknown=0.5)),
    Mode.COPIES: lambda tape: scenario.quiet(tape, COPIES),
    Mode.CLOCKS: lambda tape: scenario.quiet(tape, CLOCKS),
    Mode.USERS: scenario.busy_users,
    Mode.EPOCHS: scenario.epochs,
    Mode.ZOMBIES: scenario.zombies,
}
INVARIANT = {
    Mode.QUIET: "Q0",
    Mode.REPLIES: "Q1",
    Mode.BEATS: "Q1",
    Mode.COPIES: "Q2",
    Mode.CLOCKS: "Q0",
    Mode.USERS: "Q0",
}
EVERY = 16
MODE_OF = {
    1: Mode.QUIET,
    2: Mode.REPLIES,
    3: Mode.COPIES,
    4: Mode.USERS,
    5: Mode.EPOCHS,
    6: Mode.EPOCHS,
    7: Mode.CLOCKS,
    8: Mode.BEATS,
    9: Mode.ZOMBIES,
}


def mode_of(seed: int) -> Mode:
    """Return the mode of a seed where none is named: most meet any faults at all."""
    return MODE_OF.get(seed % EVERY, Mode.FAULTS)


def play(tape: Tape, mode: Mode, *, coverage: Coverage | None = None, log: Log | None = None) -> World:
    """Play one simulation to its end. Raises Violated."""
    world = World(SCENARIOS[mode](tape), tape, coverage=coverage, log=log)
    world.play()
    _judge_quiet(world, mode)
    return world


def play_seed(seed: int, *, coverage: Coverage | None = None, log: Log | None = None) -> World:
    return play(Tape.of_seed(seed), mode_of(seed), coverage=coverage, log=log)


def _judge_quiet(world: World, mode: Mode) -> None:
    """Where nothing is lost the sweeper has nothing to repair, and nothing is done twice."""
    if mode not in INVARIANT:
        return
    invariant = INVARIANT[mode]
    repairs = {repair: n for repair, n in world.repairs.items() if repair is not Repair.DEADLINE}
    if repairs:
        world.judge.violated(invariant, "run-0", "run", f"the sweeper has repaired {repairs}")
    if mode is Mode.USERS:
        return
    (run,) = world.table.runs.values()
    tasks = world.table.tasks[run.run_id]
    if run.status is not RunStatus.SUCCEEDED:
        world.judge.violated(invariant, run.run_id, "run", f"{run.status}: {run.error}")
    if world.judge.invocations != len(tasks):
        world.judge.violated(invariant, run.run_id, "run", f"{world.judge.invocations} effects of {len(tasks)} tasks")
    if retried := [t for t, task in tasks.items() if task.attempt != 1]:
        world.judge.violated(invariant, run.run_id, "run", f"{retried} took more than one attempt")
    if mode is Mode.QUIET and world.table.stale and not world.sweeps:
        world.judge.violated(invariant, run.run_id, "run", f"{world.table.stale} conditions have failed")
