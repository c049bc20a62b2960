"""Many seeds, on several processes: how many, how fast, what was found, and what has never happened."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from tests.simulation import exhaustive
from tests.simulation.exhaustive import Plan
from tests.simulation.judge import Violated
from tests.simulation.simulation import play_seed
from tests.simulation.world import Coverage

T = TypeVar("T")
U = TypeVar("U")

CHUNK = 200
TOLD_EVERY_S = 10
MOST_TOLD = 10


@dataclass
class Played:
    """What came of some seeds, or of some plans."""

    count: int = 0
    coverage: Coverage = field(default_factory=Counter)
    failures: list[tuple[object, str]] = field(default_factory=list)

    def add(self, other: Played) -> None:
        self.count += other.count
        self.coverage += other.coverage
        self.failures += other.failures


def seeds(base: int, count: int, processes: int) -> Played:
    chunks = [range(at, min(at + CHUNK, base + count)) for at in range(base, base + count, CHUNK)]
    return _spread(play_seeds, chunks, count, processes, "seeds")


def pairs(processes: int) -> Played:
    plans = [plan for story in exhaustive.STORIES for plan in exhaustive.pairs(story)]
    chunks = [plans[at : at + CHUNK] for at in range(0, len(plans), CHUNK)]
    return _spread(play_plans, chunks, len(plans), processes, "pairs of faults")


def play_seeds(chunk: Iterable[int]) -> Played:
    played = Played()
    for seed in chunk:
        played.count += 1
        try:
            play_seed(seed, coverage=played.coverage)
        except Violated as violation:
            played.failures.append((seed, str(violation)))
    return played


def play_plans(chunk: Iterable[Plan]) -> Played:
    plans = list(chunk)
    return Played(len(plans), Counter(), list(exhaustive.failures(plans)))


def _spread(play: Callable[[T], Played], chunks: list[T], count: int, processes: int, what: str) -> Played:
    """Play the chunks on several processes, and tell from time to time how far they are."""
    whole = Played()
    began = told = time.monotonic()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for played in pool.imap_unordered(play, chunks):
            whole.add(played)
            for failure in played.failures[: MOST_TOLD - len(whole.failures) + len(played.failures)]:
                print(*failure, sep=": ", flush=True)
            now = time.monotonic()
            if now - told >= TOLD_EVERY_S or whole.count == count:
                told = now
                rate = whole.count / max(now - began, 0.001)
                print(
                    f"{whole.count:,} of {count:,} {what}, {rate:.0f} a second, {len(whole.failures)} failed",
                    flush=True,
                )
    return whole
