"""Virtual time, and the processes in it: each a Lambda invocation that runs until its next call of a port.

A process that is killed is abandoned where it stands: no `finally` of it runs, as in a Lambda environment that is shut
down. Between two calls of a process the others make theirs, in any order that the delays give.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, NoReturn

from greenlet import GreenletExit, getcurrent, greenlet

START_MS = 1_000_000_000


class Scheduler:
    def __init__(self) -> None:
        self.now = START_MS
        self.closed = False
        self.switches = 0
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self._main = getcurrent()
        self.failure: Exception | None = None
        self.threads: list[greenlet] = []

    def at(self, time: int, act: Callable[..., None], *args: Any) -> None:
        """Do something at a time, after what was planned for that time before."""
        self._count += 1
        heapq.heappush(self._heap, (time, self._count, act, args))

    def run(self, until: int) -> bool:
        """Let time pass until nothing is left to happen. Tells whether that was so by `until`."""
        heap = self._heap
        while heap:
            time, _, act, args = heapq.heappop(heap)
            if time > until:
                return False
            self.now = max(self.now, time)
            act(*args)
            if self.failure is not None:
                raise self.failure
        return True

    def stop(self, failure: Exception) -> NoReturn:
        """End the simulation from wherever it is. No process may catch this, as it would an exception."""
        self.failure = self.failure or failure
        if getcurrent() is self._main:
            raise failure
        self.wait()
        raise AssertionError("a simulation that has failed went on")

    def wait(self) -> None:
        """Give way, until somebody switches back. After the end of the simulation nobody does."""
        if self.closed:
            raise GreenletExit
        self._main.switch()

    def close(self) -> None:
        """Throw away what was abandoned, since a greenlet that waits keeps all that it holds. It may act no more."""
        self.closed = True
        self._heap.clear()
        for thread in self.threads:
            if not thread.dead:
                thread.throw()


class Process:
    """One invocation of a function: some threads, which die together."""

    def __init__(self, scheduler: Scheduler, kind: str, lives_ms: int, ended: Callable[[Process], None]) -> None:
        self.kind = kind
        self.alive = True
        self.killed = ""
        self._scheduler = scheduler
        self._dies_at = scheduler.now + lives_ms
        self._ended = ended
        self._running = 0

    def run(self, *bodies: Callable[[], None]) -> None:
        """Run functions side by side, each as far as its first call."""
        self._running = len(bodies)
        for body in bodies:
            thread = greenlet(self._thread)
            self._scheduler.threads.append(thread)
            self._resume(thread, body)

    def sleep(self, ms: int) -> None:
        """Let this thread wait. If the process would be too old then, it is killed instead."""
        scheduler = self._scheduler
        wakes = scheduler.now + ms
        if wakes >= self._dies_at:
            scheduler.at(self._dies_at, self.kill, "timeout")
        else:
            scheduler.at(wakes, self._resume, getcurrent())
        scheduler.wait()

    def die(self) -> NoReturn:
        """Kill the process from within."""
        self.kill("crash")
        self._scheduler.wait()
        raise AssertionError("a dead process went on")

    def kill(self, why: str) -> None:
        if self.alive:
            self.alive = False
            self.killed = why
            self._ended(self)

    def _resume(self, thread: greenlet, *args: Any) -> None:
        if self.alive:
            self._scheduler.switches += 1
            thread.switch(*args)

    def _thread(self, body: Callable[[], None]) -> None:
        body()
        self._running -= 1
        if self._running == 0 and self.alive:
            self.alive = False
            self._ended(self)
