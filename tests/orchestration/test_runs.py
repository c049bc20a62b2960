"""The runs of the table as a port has them, and lists of several engines as one."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from orchestration.errors import NoSuchRun
from orchestration.model import Run
from orchestration.runs import TableRuns, merge
from orchestration.store import Page
from tests.support import shapes
from tests.support.world import World


def run(number: int) -> Run:
    return Run(run_id=f"r{number}", workflow="w", definition="v", input_digest="", started_at=number)


def page(runs: list[Run], limit: int, before: str | None) -> Page:
    """Return a page of runs as a store does."""
    found = sorted((r for r in runs if before is None or r.position < before), key=lambda r: r.position, reverse=True)
    return Page(found[:limit], found[limit - 1].position if len(found) >= limit else None)


@pytest.mark.parametrize("seed", range(20))
def test_lists_of_several_engines_become_one_that_misses_none(seed: int) -> None:
    order = random.Random(seed)
    runs = [run(number) for number in range(30)]
    engines: list[list[Run]] = [[] for _ in range(order.randint(1, 3))]
    for each in runs:
        order.choice(engines).append(each)
    before, found = None, []
    while True:
        merged = merge([page(own, order.randint(1, 9), before) for own in engines])
        assert list(merged.runs) == sorted(merged.runs, key=lambda r: r.position, reverse=True)
        found += [each.run_id for each in merged.runs]
        before = merged.cursor
        if before is None:
            break
    assert found == [each.run_id for each in reversed(runs)]


def test_a_merged_list_tells_what_none_could_read() -> None:
    merged = merge([Page([run(1)], unreadable={"r7": "why"}), Page([run(2)], unreadable={"r8": "so"})])
    assert (merged.unreadable, merged.cursor) == ({"r7": "why", "r8": "so"}, None)
    assert merge([]) == Page([])


@pytest.mark.parametrize(
    "ask",
    [
        lambda runs: runs.look("r2"),
        lambda runs: runs.output("r2", None),
        lambda runs: runs.cancel("r2"),
        lambda runs: runs.redrive("r2", None, None),
    ],
)
def test_a_run_that_is_not_in_the_table(ask: Callable[[TableRuns], object]) -> None:
    world = World()
    world.start(shapes.diamond())
    with pytest.raises(NoSuchRun, match=r"^run_id: there is no run 'r2'$"):
        ask(TableRuns(world.engine()))


def test_the_version_of_a_run() -> None:
    world = World()
    world.start(shapes.diamond())
    runs = TableRuns(world.engine())
    assert runs.pinned("abc", "r") == shapes.diamond()
    assert runs.pinned("abd", "r") is None
    assert runs.pinned("abc", "r2") is None
