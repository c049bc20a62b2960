"""Graphs as series and parallels: exact where that is possible, and else with as few barriers as there can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import knots
from orchestration.series_parallel import Barrier, Plan, TooDeep, plan
from orchestration.trees import Parallel, Series, Tree, depth, nesting, tasks

Graph = Mapping[str, Sequence[str]]

N = {"A": [], "B": [], "C": ["A"], "D": ["A", "B"]}


@pytest.mark.parametrize(
    ("graph", "tree"),
    [
        ({"A": []}, "A"),
        ({"A": [], "B": []}, "[A | B]"),
        ({"A": [], "B": ["A"], "C": ["A", "B"]}, "A > B > C"),  # what follows from the others changes nothing
        ({"A": [], "B1": ["A"], "B2": ["A"], "C": ["B1", "B2"]}, "A > [B1 | B2] > C"),
        ({"A": [], "B": ["A"], "C": [], "D": ["B", "C"]}, "[A > B | C] > D"),
        ({"A": [], "B": ["A"], "C": ["A"], "D": ["B"], "E": ["B"], "F": ["D", "E"], "G": ["F", "C"]},
         "A > [B > [D | E] > F | C] > G"),
        ({"A": [], "B": [], "C": ["A", "B"], "D": ["A", "B"]}, "[A | B] > [C | D]"),
        ({"A": [], "B": [], "C": ["A"], "D": ["B"]}, "[A > C | B > D]"),
        ({f"t{i}": [] for i in range(9)}, "[t0 | t1 | t2 | t3 | t4 | t5 | t6 | t7 | t8]"),
    ],
)  # fmt: skip
def test_a_graph_without_an_n_loses_nothing(graph: Graph, tree: str) -> None:
    found = plan(graph, 100)
    assert (shown(found.tree), found.barriers) == (tree, ())


def test_an_n_takes_one_barrier() -> None:
    assert plan(N, 100) == Plan(
        Series((Parallel(("A", "B")), Parallel(("C", "D")))),  # of three ways to give up one pair, the shortest
        (Barrier(first=("A", "B"), then=("C", "D"), waits=(("C", "B"),), lost=1),),
    )


def test_tasks_that_no_other_tells_apart_are_cut_as_one() -> None:
    wide = {"A1": [], "A2": [], "B": [], "C": ["A1", "A2"], "D1": ["A1", "A2", "B"], "D2": ["D1"]}
    found = plan(wide, 100)
    assert len(found.barriers) == 1
    assert order_of(found.tree) >= order(wide)


def test_two_knots_side_by_side_are_untied_for_themselves() -> None:
    twice = {f"{side}{name}": [f"{side}{other}" for other in after] for side in "xy" for name, after in N.items()}
    found = plan(twice, 100)
    assert shown(found.tree) == "[[xA | xB] > [xC | xD] | [yA | yB] > [yC | yD]]"
    assert [barrier.lost for barrier in found.barriers] == [1, 1]


def test_what_was_searched_is_taken_where_halving_would_take_a_barrier_more(monkeypatch: pytest.MonkeyPatch) -> None:
    graph: Graph = {"A": [], "B": ["A"], "C": [], "D": ["A", "B"], "E": ["B", "C"], "F": ["A", "C"]}
    assert len(plan(graph, 100).barriers) == 1
    monkeypatch.setattr(knots, "MAX_WORK", 0)
    assert len(plan(graph, 100).barriers) == 2


def test_a_tree_that_is_too_deep_is_refused() -> None:
    graph: dict[str, list[str]] = {}
    for level in range(7):  # a task beside all that follows on its neighbour
        graph[f"a{level}"] = [f"b{level - 1}"] if level else []
        graph[f"b{level}"] = [f"b{level - 1}"] if level else []
    assert nesting(plan(graph, 7).tree) == 7
    with pytest.raises(TooDeep):
        plan(graph, 6)


def test_a_very_deep_tree_is_refused_and_no_recursion_error() -> None:
    graph: dict[str, list[str]] = {}
    for level in range(1_200):
        graph[f"a{level}"] = graph[f"b{level}"] = [f"b{level - 1}"] if level else []
    with pytest.raises(TooDeep):
        plan(graph, 100)


@pytest.mark.parametrize("size", [800, 2_000])
def test_large_graphs_take_no_time_that_grows_with_what_could_be_tried(size: int) -> None:
    ladder = {f"a{i}": [f"a{i - 1}"] if i else [] for i in range(size // 2)}
    ladder |= {f"b{i}": [f"a{i - 1}", f"b{i - 1}"] if i else [] for i in range(size // 2)}
    found = plan(ladder, 100)
    assert sorted(tasks(found.tree)) == sorted(ladder)
    assert all(len(barrier.waits) <= 1_000 for barrier in found.barriers)


@st.composite
def graphs(draw: st.DrawFn, most: int = 6) -> Graph:
    names = [f"t{i}" for i in range(draw(st.integers(1, most)))]
    return {
        name: sorted(draw(st.sets(st.sampled_from(names[:i]), max_size=3))) if i else [] for i, name in enumerate(names)
    }


@given(graphs(most=14))
def test_every_dependency_is_kept_and_every_wait_that_was_added_is_told(graph: Graph) -> None:
    found = plan(graph, 100)
    assert sorted(tasks(found.tree)) == sorted(graph)
    asked, had = order(graph), order_of(found.tree)
    assert asked <= had
    assert sum(barrier.lost for barrier in found.barriers) == len(had - asked)
    told = {wait for barrier in found.barriers for wait in barrier.waits}
    assert told <= {(late, early) for early, late in had - asked}
    # What was not told follows from what was, and from the graph.
    assert had == closure(asked | {(early, late) for late, early in told})


@given(graphs())
def test_no_other_plan_has_fewer_barriers_or_as_many_and_fewer_waits(graph: Graph) -> None:
    found = plan(graph, 100)
    cost = (len(found.barriers), sum(barrier.lost for barrier in found.barriers))
    assert cost == least_cost(frozenset(order(graph)), frozenset(graph))


@cache
def least_cost(asked: frozenset[tuple[str, str]], some: frozenset[str]) -> tuple[int, int]:
    """Return the barriers and waits of the best plan, of all that there are."""
    if len(some) == 1:
        return 0, 0
    best: tuple[int, int] | None = None
    for first in subsets(some):
        rest = some - first
        related = [(a, b) for a in first for b in rest if (a, b) in asked or (b, a) in asked]
        parts = [least_cost(asked, first), least_cost(asked, rest)]
        barriers, waits = (sum(column) for column in zip(*parts, strict=True))
        if related and any((b, a) in asked for a in first for b in rest):
            continue
        lost = len(first) * len(rest) - len(related)
        # Side by side, if nothing is between them; one after the other, with a barrier if that is not asked for.
        cost = (barriers, waits) if not related else (barriers + (lost > 0), waits + lost)
        best = cost if best is None else min(best, cost)
    assert best is not None
    return best


def subsets(some: frozenset[str]) -> Iterator[frozenset[str]]:
    for size in range(1, len(some)):
        yield from map(frozenset, combinations(sorted(some), size))


def order(graph: Graph) -> set[tuple[str, str]]:
    """Return the pairs of tasks of which the first has to have ended before the second begins."""
    return closure({(other, name) for name, after in graph.items() for other in after})


def closure(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    closed = set(pairs)
    while more := {(a, d) for a, b in closed for c, d in closed if b == c} - closed:
        closed |= more
    return closed


def order_of(tree: Tree) -> set[tuple[str, str]]:
    match tree:
        case Series(parts):
            between = {(a, b) for one, other in combinations(parts, 2) for a in tasks(one) for b in tasks(other)}
            return between.union(*map(order_of, parts))
        case Parallel(branches):
            return set().union(*map(order_of, branches))
        case _:
            return set()


def shown(tree: Tree) -> str:
    match tree:
        case Series(parts):
            return " > ".join(map(shown, parts))
        case Parallel(branches):
            return "[" + " | ".join(map(shown, branches)) + "]"
        case _:
            return tree


def test_the_longest_way() -> None:
    assert depth(plan(N, 100).tree) == 2
    assert depth("A") == 1
