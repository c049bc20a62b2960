"""What brings messages to workers and records to the Orchestrator: at least once, late, in any order; or not at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from orchestration.queue import Message

if TYPE_CHECKING:
    from tests.simulation.world import Lambda, World

MAX_RECEIVES = 5
Record = tuple[str, str]
"""What a stream record says: the run and the task to look at."""


@dataclass
class Letter:
    """A message in the queue."""

    message: Message
    receives: int = 0


class WorkerQueue:
    def __init__(self, world: World, visibility_ms: int) -> None:
        self._world = world
        self._visibility_ms = visibility_ms
        self._visible: list[Letter] = []
        self._polled = False
        self.dead: list[Message] = []

    def put(self, message: Message, delay_s: int) -> None:
        world, faults = self._world, self._world.faults
        world.note("sent", message.run_id, message.task_id, delay_s)
        if world.happens(faults.message_lost):
            world.cover("queue", "lost")
            return
        for _ in range(2 if world.happens(faults.message_twice) else 1):
            late = world.tape.between(1_000, 240_000) if world.happens(faults.message_late) else 0
            world.at(world.now + delay_s * 1000 + world.latency() + late, self._arrive, Letter(message))

    def _arrive(self, letter: Letter) -> None:
        self._visible.append(letter)
        if not self._polled:
            self._polled = True
            self._world.at(self._world.now + self._world.latency(), self._poll)

    def _poll(self) -> None:
        self._polled = False
        while self._visible:
            size = 1 + self._world.any_below(min(10, len(self._visible)))
            batch, self._visible = self._visible[:size], self._visible[size:]
            for letter in batch:
                letter.receives += 1
            self._world.work(batch)

    def worked(self, batch: Sequence[Letter], failed: Sequence[Letter]) -> None:
        """Take what a worker could not do back into the queue; what it did may come once more too."""
        for letter in batch:
            if letter in failed or self._world.happens(self._world.faults.message_again):
                if letter.receives >= MAX_RECEIVES:
                    self._world.cover("queue", "dead letter")
                    self.dead.append(letter.message)
                else:
                    self._world.cover("queue", "again")
                    self._world.at(self._world.now + self._visibility_ms, self._arrive, letter)


class Stream:
    """Records by shard, each shard in its order: those of one item never pass each other."""

    def __init__(self, world: World, shards: int, tries: int) -> None:
        self._world = world
        self._tries = tries
        self._shards: list[list[Record]] = [[] for _ in range(shards)]
        self._busy = [False] * shards

    def append(self, record: Record) -> None:
        if self._world.happens(self._world.faults.record_lost):
            self._world.cover("stream", "lost")
            self._world.note("record lost", *record)
            return
        shard = crc32("/".join(record).encode()) % len(self._shards)
        self._shards[shard].append(record)
        if not self._busy[shard]:
            self._busy[shard] = True
            self._world.at(self._world.now + self._world.latency(), self._deliver, shard, math.inf, 0)

    def _deliver(self, shard: int, most: float, tries: int) -> None:
        records = self._shards[shard]
        if not records:
            self._busy[shard] = False
            return
        size = int(min(most, 1 + self._world.any_below(min(5, len(records)))))
        batch = records[:size]
        self._world.advance(batch, lambda done: self._delivered(shard, size, done, tries))

    def _delivered(self, shard: int, size: int, done: int, tries: int) -> None:
        """Go on behind what was done: a failed batch comes again from its first failure on, in smaller parts."""
        world = self._world
        most: float = math.inf
        if done < size:
            if tries >= self._tries:
                world.cover("stream", "given up")
                done += 1  # it is set aside
                tries = 0
            else:
                tries += 1
                most = max(1, (size - done) // 2)
        elif tries < self._tries and world.happens(world.faults.records_again):
            world.cover("stream", "again")
            done, tries, most = 0, tries + 1, size
        else:
            tries = 0
        del self._shards[shard][:done]
        world.at(world.now + world.latency() + 500 * tries, self._deliver, shard, most, tries)


class SimQueue:
    """The queue as one process reaches it."""

    def __init__(self, world: World, process: Lambda) -> None:
        self._queue = world.queue
        self._process = process

    def send(self, messages: Sequence[Message], delay_s: int = 0) -> None:
        failed: list[Exception] = []
        for message in messages:
            try:
                self._process.call("send", lambda m=message: self._queue.put(m, delay_s))  # type: ignore[misc]
            except ConnectionError as exc:
                failed.append(exc)
        if failed:
            raise failed[0]
