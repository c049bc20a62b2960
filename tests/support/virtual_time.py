"""An event loop in which no time passes: when all wait, its clock is set to the next moment that something is due."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualTime(asyncio.SelectorEventLoop):
    """Begins at 0. What waits for something from outside of the loop waits for good."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        loop: Any = self  # its queues have no names outside
        if not loop._ready and loop._scheduled:
            self._now = max(self._now, loop._scheduled[0].when())
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, T]) -> T:
    loop = VirtualTime()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()
