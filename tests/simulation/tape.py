"""Every choice of a simulation, in the order in which it is made: what replays it, and what is shrunk.

A choice is a number of 16 bits, and 0 is the harmless one: no fault, the shortest delay, the first of a list. So a tape
of zeros is a run in which nothing happens, and to set a part of a tape to zero is to remove what went wrong there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import TypeVar

T = TypeVar("T")

BITS = 16
SIZE = 1 << BITS


class Tape:
    def __init__(self, source: Iterator[int]) -> None:
        self.drawn: list[int] = []
        self._next = source.__next__
        self._note = self.drawn.append

    @classmethod
    def of_seed(cls, seed: int) -> Tape:
        draw: Callable[[int], int] = random.Random(seed).getrandbits
        return cls(map(draw, repeat(BITS)))

    @classmethod
    def of_values(cls, values: Sequence[int]) -> Tape:
        """Return a tape that was drawn before. What is drawn beyond its end is harmless."""
        return cls(chain(values, repeat(0)))

    def draw(self) -> int:
        value = self._next()
        self._note(value)
        return value

    def chance(self, probability: float) -> bool:
        """Tell whether something happens; what cannot happen takes no choice."""
        return probability > 0 and self.draw() >= SIZE * (1 - probability)

    def below(self, limit: int) -> int:
        return self.draw() * limit >> BITS

    def between(self, low: int, high: int) -> int:
        return low + (self.draw() * (high - low + 1) >> BITS)

    def pick(self, things: Sequence[T]) -> T:
        return things[self.draw() * len(things) >> BITS]

    def fraction(self) -> float:
        return self.draw() / SIZE
