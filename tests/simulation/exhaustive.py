"""The diamond with nothing left to chance: everything that can go wrong at each call, and at each two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from orchestration.model import RunStatus
from tests.simulation import scenario
from tests.simulation.faults import FAULTS, Outcome
from tests.simulation.judge import Violated
from tests.simulation.scenario import Scenario
from tests.simulation.tape import Tape
from tests.simulation.world import World

STORIES: Mapping[str, Callable[[], Scenario]] = {"run": scenario.diamond, "cancel and redrive": scenario.canceled}
IN_PAIRS = (Outcome.CRASH_AFTER, Outcome.UNKNOWN, Outcome.PAUSE_BEFORE)


@dataclass(frozen=True)
class Plan:
    """What goes wrong in a story: at the calls of which numbers, and how."""

    story: str
    faults: tuple[tuple[int, Outcome], ...] = ()

    def play(self) -> World:
        world = World(STORIES[self.story](), Tape.of_values(()), plan=dict(self.faults))
        world.play()
        return world


def singles(story: str) -> Iterator[Plan]:
    for number in range(1, Plan(story).play().calls + 1):
        for fault in FAULTS:
            yield Plan(story, ((number, fault),))


def pairs(story: str) -> Iterator[Plan]:
    for first, second in combinations(range(1, Plan(story).play().calls + 1), 2):
        for one in IN_PAIRS:
            for other in IN_PAIRS:
                yield Plan(story, ((first, one), (second, other)))


def failure_of(plan: Plan) -> str | None:
    """Return what is wrong after such faults. Each task has three tries, so no two of them fail a run."""
    try:
        world = plan.play()
    except Violated as violation:
        return str(violation)
    run = world.table.runs.get("run-0")
    if run is None or run.status is RunStatus.SUCCEEDED:
        return None  # whoever starts a run and hears of an error has to start it again
    if run.status is RunStatus.CANCELED and plan.story != "run":
        return None  # who redrives it likewise
    return f"{run.status}: {run.error}"


def failures(plans: Sequence[Plan]) -> list[tuple[Plan, str]]:
    return [(plan, failure) for plan in plans if (failure := failure_of(plan))]
