"""Time passes by itself, processes give way at their calls, and a dead one does nothing any more."""

from __future__ import annotations

import pytest

from tests.simulation.scheduler import START_MS, Process, Scheduler


class Stopped(Exception):
    pass


def test_things_happen_in_the_order_of_their_times() -> None:
    scheduler = Scheduler()
    happened: list[tuple[int, str]] = []
    for ms, name in ((30, "c"), (10, "a"), (30, "d"), (20, "b")):
        scheduler.at(START_MS + ms, lambda name=name: happened.append((scheduler.now - START_MS, name)))
    assert scheduler.run(START_MS + 25) is False
    assert happened == [(10, "a"), (20, "b")]


def test_processes_take_turns() -> None:
    scheduler = Scheduler()
    said: list[str] = []

    def process(name: str, ms: int) -> None:
        one = Process(scheduler, name, 1_000, lambda _: said.append(f"{name} ends"))

        def body() -> None:
            for turn in range(2):
                said.append(f"{name}{turn}")
                one.sleep(ms)

        one.run(body)

    process("a", 10)
    process("b", 15)
    assert scheduler.run(START_MS + 100)
    assert said == ["a0", "b0", "a1", "b1", "a ends", "b ends"]


def test_a_killed_process_is_abandoned_with_all_its_threads() -> None:
    scheduler = Scheduler()
    said: list[str] = []
    process = Process(scheduler, "p", 1_000, lambda p: said.append(p.killed))

    def dies() -> None:
        try:
            process.sleep(10)
            process.die()
        finally:
            said.append("cleaned up")

    def waits() -> None:
        process.sleep(20)
        said.append("went on")

    process.run(dies, waits)
    assert scheduler.run(START_MS + 100)
    assert said == ["crash"]
    assert not process.alive


def test_what_an_abandoned_process_cleans_up_reaches_nobody() -> None:
    scheduler = Scheduler()
    said: list[str] = []
    process = Process(scheduler, "p", 1_000, lambda _: None)

    def body() -> None:
        try:
            process.sleep(10)
            process.die()
        finally:
            said.append("cleans up")
            process.sleep(10)
            said.append("went on")

    process.run(body)
    scheduler.run(START_MS + 100)
    assert said == []
    scheduler.close()
    assert said == ["cleans up"]


def test_a_process_that_gets_too_old_is_killed_at_its_time() -> None:
    scheduler = Scheduler()
    ended: list[tuple[int, str]] = []
    process = Process(scheduler, "p", 50, lambda p: ended.append((scheduler.now - START_MS, p.killed)))
    process.run(lambda: process.sleep(200))
    scheduler.run(START_MS + 1_000)
    assert ended == [(50, "timeout")]


def test_a_failure_stops_everything_from_within_a_process() -> None:
    scheduler = Scheduler()

    def body() -> None:
        try:
            scheduler.stop(Stopped())
        except Exception as exc:
            raise AssertionError("the engine has caught it") from exc

    process = Process(scheduler, "p", 1_000, lambda _: None)
    scheduler.at(START_MS + 1, process.run, body)
    with pytest.raises(Stopped):
        scheduler.run(START_MS + 10)
