"""Steps in series and in parallel, as trees. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Series:
    """Two parts at least, none of which is a Series: each begins when the one before it has ended."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True)
class Parallel:
    """Two branches at least, none of which is a Parallel."""

    branches: tuple[Tree, ...]


Tree: TypeAlias = "str | Series | Parallel"


def depth(tree: Tree) -> int:
    """Return how many tasks the longest way through the tree has."""
    match tree:
        case Series(parts):
            return sum(map(depth, parts))
        case Parallel(branches):
            return max(map(depth, branches))
        case _:
            return 1


def nesting(tree: Tree) -> int:
    """Return how many levels of branches within branches the tree has."""
    match tree:
        case Series(parts):
            return max(map(nesting, parts))
        case Parallel(branches):
            return 1 + max(map(nesting, branches))
        case _:
            return 0


def tasks(tree: Tree) -> Iterator[str]:
    """Yield the tasks of a tree, from left to right."""
    match tree:
        case Series(inner) | Parallel(inner):
            for part in inner:
                yield from tasks(part)
        case _:
            yield tree


@dataclass(frozen=True)
class Found:
    """What a part of the order became: its tree, and how much was given up for it."""

    tree: Tree
    cuts: tuple[tuple[int, int, int], ...] = ()  # what is before, what is behind, how many waits
    depth: int = 1
    parallels: int = 0

    @property
    def cost(self) -> tuple[int, int, int, int]:
        return len(self.cuts), sum(lost for _, _, lost in self.cuts), self.depth, self.parallels


def in_parallel(parts: Sequence[Found]) -> Found:
    trees = [part.tree for part in parts]
    branches = [b for tree in trees for b in (tree.branches if isinstance(tree, Parallel) else (tree,))]
    # A branch that is a Parallel is none of its own any more.
    parallels = 1 + sum(part.parallels - isinstance(part.tree, Parallel) for part in parts)
    longest = max(part.depth for part in parts)
    return Found(Parallel(tuple(sorted(branches, key=_first))), _cuts_of(parts), longest, parallels)


def in_series(parts: Sequence[Found]) -> Found:
    trees = [part.tree for part in parts]
    flat = [p for tree in trees for p in (tree.parts if isinstance(tree, Series) else (tree,))]
    longest = sum(part.depth for part in parts)
    return Found(Series(tuple(flat)), _cuts_of(parts), longest, sum(part.parallels for part in parts))


def _cuts_of(parts: Sequence[Found]) -> tuple[tuple[int, int, int], ...]:
    return tuple(cut for part in parts for cut in part.cuts)


def _first(tree: Tree) -> str:
    return next(tasks(tree))
