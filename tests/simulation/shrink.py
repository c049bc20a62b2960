"""Makes a tape that fails small: what can be set to zero without losing the failure had nothing to do with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.simulation.judge import Violated
from tests.simulation.simulation import Mode, play
from tests.simulation.tape import Tape

MOST_PLAYS = 3_000


def violated(values: Sequence[int], mode: Mode) -> str | None:
    """Return the invariant that a tape violates, or None."""
    try:
        play(Tape.of_values(values), mode)
    except Violated as violation:
        return violation.invariant
    return None


def shrink(values: Sequence[int], mode: Mode, invariant: str, most_plays: int = MOST_PLAYS) -> list[int]:
    """Return a tape that still violates the invariant, with as many zeros as could be found."""
    plays = 0

    def fails(candidate: Sequence[int]) -> bool:
        nonlocal plays
        plays += 1
        return plays <= most_plays and violated(candidate, mode) == invariant

    best = _without_end(list(values), fails)
    size = max(1, len(best) // 2)
    while True:
        for start in range(0, len(best), size):
            candidate = best[:start] + [0] * len(best[start : start + size]) + best[start + size :]
            if candidate != best and fails(candidate):
                best = candidate
        if size == 1:
            return _without_end(best, fails)
        size = max(1, size // 2)


def _without_end(values: list[int], fails: Callable[[Sequence[int]], bool]) -> list[int]:
    """Cut off what is not needed: beyond its end a tape is zero."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if fails(values[:middle]):
            high = middle
        else:
            low = middle + 1
    return values[:high]
