"""Questions about directed graphs, answered without recursion. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping


def shortest_cycle(after: Mapping[str, Iterable[str]]) -> list[str] | None:
    """Return one shortest cycle in the direction of the work, each node once, or None if there is no cycle.

    `after` maps each node to the nodes that it waits for; all of them are keys too. The first node of the answer is
    its least, so that equal graphs give equal answers.
    """
    forward: dict[str, set[str]] = {node: set() for node in after}
    for node, dependencies in after.items():
        for dependency in dependencies:
            forward[dependency].add(node)
    backward = {node: set(dependencies) for node, dependencies in after.items()}
    best: list[str] | None = next(([node] for node in sorted(forward) if node in forward[node]), None)
    _peel(forward, backward, list(forward))
    for node in sorted(forward):
        if best is not None and len(best) <= 2:
            break  # a self-edge would have been found first, so there is none shorter
        if node in forward:
            best = _cycle_through(node, forward, None if best is None else len(best) - 1) or best
            # Every cycle through this node has been considered; without it the rest may fall apart.
            _peel(forward, backward, _remove(node, forward, backward))
    if best is None:
        return None
    start = best.index(min(best))
    return best[start:] + best[:start]


def longest_path(after: Mapping[str, Iterable[str]]) -> int:
    """Return how many nodes the longest way through a graph without cycles has."""
    waiting = {node: set(dependencies) for node, dependencies in after.items()}
    forward: dict[str, list[str]] = {node: [] for node in after}
    for node, dependencies in waiting.items():
        for dependency in dependencies:
            forward[dependency].append(node)
    reached, level = 0, [node for node, dependencies in waiting.items() if not dependencies]
    while level:
        reached += 1
        following = []
        for node in level:
            for other in forward[node]:
                waiting[other].discard(node)
                if not waiting[other]:
                    following.append(other)
        level = following
    return reached


def _peel(forward: dict[str, set[str]], backward: dict[str, set[str]], suspects: list[str]) -> None:
    """Remove the nodes that no cycle can pass: those with no way in or no way out."""
    while suspects:
        node = suspects.pop()
        if node in forward and not (forward[node] and backward[node]):
            suspects.extend(_remove(node, forward, backward))


def _remove(node: str, forward: dict[str, set[str]], backward: dict[str, set[str]]) -> list[str]:
    """Remove a node from both views and return its neighbours."""
    after, before = forward.pop(node), backward.pop(node)
    for other in after - {node}:
        backward[other].discard(node)
    for other in before - {node}:
        forward[other].discard(node)
    return [*(after | before) - {node}]


def _cycle_through(start: str, forward: Mapping[str, set[str]], limit: int | None) -> list[str] | None:
    """Return a shortest cycle through `start` of at most `limit` nodes, by breadth-first search."""
    came_from: dict[str, str] = {}
    queue = deque([(start, 1)])
    while queue:
        node, length = queue.popleft()
        if limit is not None and length > limit:
            return None
        for following in sorted(forward[node]):
            if following == start:
                return _path(start, node, came_from)
            if following not in came_from:
                came_from[following] = node
                queue.append((following, length + 1))
    return None


def _path(start: str, end: str, came_from: Mapping[str, str]) -> list[str]:
    path = [end]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]
