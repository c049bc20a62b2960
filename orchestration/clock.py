"""What the engine may not ask for itself: the time, fresh tokens, and chance."""

from __future__ import annotations

import random
import time
import uuid
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Return UTC epoch milliseconds."""

    def sleep(self, seconds: float) -> None: ...


class Chance(Protocol):
    def token(self) -> str:
        """Return a token that nobody else has."""

    def jitter(self) -> float:
        """Return a random number from 0 to 1."""


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class SystemChance:
    def token(self) -> str:
        return uuid.uuid4().hex

    def jitter(self) -> float:
        return random.random()  # noqa: S311 - it spreads retries, and guards no secret
