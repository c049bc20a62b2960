"""Graphs that tests use."""

from __future__ import annotations

import random

from orchestration.workflow import Retry, Task, Workflow


def diamond(retry: Retry | None = None) -> Workflow:
    """The reference workflow."""
    policy = retry or Retry()
    return Workflow(
        "abc",
        {
            "A": Task("a", retry=policy),
            "B1": Task("b1", after=["A"], retry=policy),
            "B2": Task("b2", after=["A"], retry=policy),
            "B3": Task("b3", after=["A"], retry=policy),
            "C": Task("c", after=["B1", "B2", "B3"], retry=policy),
        },
    )


def single(retry: Retry | None = None) -> Workflow:
    return Workflow("single", {"A": Task("a", retry=retry or Retry())})


def chain(length: int) -> Workflow:
    ids = [f"t{i:05d}" for i in range(length)]
    return Workflow("chain", {id_: Task("a", after=ids[max(0, i - 1) : i]) for i, id_ in enumerate(ids)})


def fan(width: int) -> Workflow:
    """One task, then `width` beside each other, then one."""
    middle = [f"m{i:05d}" for i in range(width)]
    tasks = {"first": Task("a"), **{id_: Task("b", after=["first"]) for id_ in middle}}
    return Workflow("fan", {**tasks, "last": Task("c", after=middle)})


def wide(size: int) -> Workflow:
    """As many tasks as may be beside each other: one before all, and joins of at most 1,000 after them."""
    joins = -(-size // 1000)
    middle = [f"m{i:05d}" for i in range(size - joins - 1)]
    tasks = {"first": Task("a"), **{id_: Task("b", after=["first"]) for id_ in middle}}
    return Workflow("wide", {**tasks, **{f"z{i}": Task("c", after=middle[i::joins]) for i in range(joins)}})


def layered(layers: int, width: int) -> Workflow:
    """Layers, of which each task waits for three tasks of the layer before."""
    return Workflow(
        "layered",
        {
            f"l{layer:03d}-{i:03d}": Task(
                "a", after=sorted({f"l{layer - 1:03d}-{(i + step) % width:03d}" for step in range(3)} if layer else ())
            )
            for layer in range(layers)
            for i in range(width)
        },
    )


def sinks() -> Workflow:
    """Two roots and three sinks, one of them a root."""
    tasks = {"A": Task("a"), "alone": Task("a"), "X": Task("b", after=["A"]), "Y": Task("b", after=["A"])}
    return Workflow("sinks", tasks)


def drawn(order: random.Random, most: int = 9, retry: Retry | None = None) -> Workflow:
    """A graph that chance draws."""
    ids = [f"t{i}" for i in range(order.randint(1, most))]
    density = order.choice([0.1, 0.3, 0.6])
    after = {id_: [other for other in ids[:i] if order.random() < density] for i, id_ in enumerate(ids)}
    return Workflow("drawn", {id_: Task("a", after=after[id_], retry=retry or Retry()) for id_ in ids})
