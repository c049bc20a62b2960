"""The shortest cycle of a graph, against a search that tries everything, and its longest path."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.graph import longest_path, shortest_cycle


def every_cycle(after: Mapping[str, set[str]]) -> list[list[str]]:
    """Return every cycle, in the direction of the work, that begins with its least node; the shortest first."""
    return [
        list(nodes)
        for length in range(1, len(after) + 1)
        for nodes in permutations(sorted(after), length)
        if nodes[0] == min(nodes)
        and all(node in after[following] for node, following in zip(nodes, (*nodes[1:], nodes[0]), strict=True))
    ]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, set[str]]:
    nodes = "abcdef"[: draw(st.integers(1, 6))]
    edges = draw(st.sets(st.tuples(st.sampled_from(nodes), st.sampled_from(nodes)), max_size=12))
    return {node: {dependency for dependent, dependency in edges if dependent == node} for node in nodes}


@given(graphs())
def test_it_is_a_shortest_one_or_there_is_none(after: dict[str, set[str]]) -> None:
    found = shortest_cycle(after)
    expected = every_cycle(after)
    if not expected:
        assert found is None
    else:
        assert found in [cycle for cycle in expected if len(cycle) == len(expected[0])]


@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_in_which_a_graph_is_written_does_not_matter(after: dict[str, set[str]], order: object) -> None:
    assert shortest_cycle({node: after[node] for node in reversed(after)}) == shortest_cycle(after)


@pytest.mark.parametrize(
    ("after", "cycle"),
    [
        ({}, None),
        ({"a": []}, None),
        ({"a": ["a"]}, ["a"]),
        ({"a": ["b"], "b": ["a"]}, ["a", "b"]),
        ({"a": ["c"], "b": ["a"], "c": ["b"]}, ["a", "b", "c"]),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, ["a", "c", "b"]),
        # a ring of four, a ring of two, and a way between
        ({"a": ["d"], "b": ["a"], "c": ["b"], "d": ["c"], "x": ["y", "a"], "y": ["x"]}, ["x", "y"]),
        # a self-edge beats a ring of two that is found before
        ({"a": ["b"], "b": ["a"], "c": ["c"]}, ["c"]),
        # nodes before and behind a cycle are not part of it
        ({"before": [], "a": ["before", "b"], "b": ["a"], "behind": ["b"]}, ["a", "b"]),
    ],
)
def test_graphs(after: dict[str, list[str]], cycle: list[str] | None) -> None:
    assert shortest_cycle(after) == cycle


def test_a_long_ring_takes_no_recursion() -> None:
    ids = [f"t{i:05d}" for i in range(10_000)]
    assert shortest_cycle({id_: [ids[i - 1]] for i, id_ in enumerate(ids)}) == ids


def test_many_rings_are_each_looked_at_once() -> None:
    """5,000 rings of two: quadratic work here would take minutes."""
    after = {f"{side}{i:04d}": [f"{other}{i:04d}"] for i in range(5_000) for side, other in ("ab", "ba")}
    assert shortest_cycle(after) == ["a0000", "b0000"]


@pytest.mark.parametrize(
    ("graph", "length"),
    [
        ({}, 0),
        ({"A": []}, 1),
        ({"A": [], "B": ["A"], "C": ["A", "B"]}, 3),
        ({"A": [], "B": ["A"], "C": []}, 2),
        ({f"t{n}": [f"t{n - 1}"] if n else [] for n in range(5_000)}, 5_000),
    ],
)
def test_the_longest_path(graph: dict[str, list[str]], length: int) -> None:
    assert longest_path(graph) == length
