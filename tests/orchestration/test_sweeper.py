"""The Sweeper function over moto: what got lost is done, what was not lost is left alone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orchestration import sweeper
from orchestration.engine import Swept
from orchestration.overdue import Repair
from orchestration.payload import Json
from tests.support.deployed import CANARY, TABLE, Context, System
from tests.support.memory import FakeChance

THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "UpdateItem")
GRACE_MS = 121_000
"""More than a message or a record may be under way."""


def started(system: System, *run_ids: str) -> None:
    """Start runs."""
    system.services.run = lambda event: f"{CANARY}-output"
    for run_id in run_ids:
        system.ask(action="start", workflow="abc", run_id=run_id, input=f"{CANARY}-input")


def summary(checked: int = 0, repaired: int = 0, failed: int = 0, left: int = 0) -> dict[str, int]:
    return {"checked": checked, "repaired": repaired, "failed": failed, "left": left}


def status(system: System, run_id: str) -> str:
    return str(system.ask(action="describe", run_id=run_id)["status"])


def metrics(found: list[tuple[str, str, float, dict[str, str]]]) -> list[tuple[str, float, str | None]]:
    """Return name, value and kind or workflow of what was counted."""
    return sorted(
        (name, value, dimensions.get("kind") or dimensions.get("workflow"))
        for name, unit, value, dimensions in found
        if unit == "Count"
    )


def test_where_nothing_is_due_nothing_is_told(system: System) -> None:
    started(system, "run-1")
    system.output()
    assert system.sweep() == summary()
    output = system.output()
    assert (metrics(output.metrics), output.lines) == ([("OpenRuns", 1, None)], [])
    system.settle()
    system.output()
    system.clock.ahead_ms += GRACE_MS
    assert system.sweep() == summary()
    assert system.output().text == "", "no run is open"


def test_a_run_that_goes_on_is_looked_at_and_left_alone(system: System) -> None:
    """Its task waits for another attempt for longer than the grace: that is no loss."""

    def task(event: Mapping[str, Json]) -> Any:
        raise ValueError(CANARY)

    system.services.run = task
    retry = {"max_attempts": 2, "delay_s": 80_000, "max_delay_s": 80_000}
    definition = {"name": "patient", "tasks": {"A": {"service": "a", "retry": retry}}}
    system.ask(action="register", definition=definition)
    system.ask(action="start", workflow="patient", run_id="run-1")
    system.work(system.received())
    before = system.ask(action="describe", run_id="run-1")
    assert before["tasks"]["A"]["due_at"] > before["tasks"]["A"]["finished_at"]
    system.output()
    system.clock.ahead_ms += GRACE_MS
    assert system.sweep() == summary(checked=1)
    output = system.output()
    assert metrics(output.metrics) == [("OpenRuns", 1, None), ("RunsSwept", 1, None)]
    assert output.lines == []
    assert system.ask(action="describe", run_id="run-1") == before
    assert system.sweep() == summary(), "and it is not looked at again so soon"


def test_a_lost_message_is_sent_again(system: System) -> None:
    started(system, "run-1")
    assert len(system.received()["Records"]) == 1
    system.output()
    system.clock.ahead_ms += GRACE_MS
    assert system.sweep() == summary(checked=1, repaired=1)
    output = system.output()
    assert metrics(output.metrics) == [("OpenRuns", 1, None), ("RunsSwept", 1, None), ("SweeperRepairs", 1, "DISPATCH")]
    assert output.said("level", "message", "run_id", "repairs") == [("WARNING", "repaired", "run-1", ["DISPATCH"])]
    system.settle()
    assert status(system, "run-1") == "SUCCEEDED"
    assert CANARY not in system.output().text


def test_lost_records_are_followed_and_the_end_of_a_run_is_counted(system: System) -> None:
    started(system, "run-1")
    for _ in range(20):
        system.work(messages) if (messages := system.received())["Records"] else None
        system.clock.ahead_ms += GRACE_MS
        system.sweep()
    assert status(system, "run-1") == "SUCCEEDED", "without one record of the stream"
    output = system.output()
    ended = [name for name, _, _ in metrics(output.metrics) if name == "RunsSucceeded"]
    assert ended == ["RunsSucceeded"]
    assert sum(value for name, value, _ in metrics(output.metrics) if name == "SweeperRepairs") > 0
    assert CANARY not in output.text
    assert len(system.services.calls) == 5
    system.clock.ahead_ms += 100 * GRACE_MS
    assert system.sweep() == summary(), "a run that has ended is never due"


def test_a_worker_that_died_is_replaced(system: System) -> None:
    def task(event: Mapping[str, Json]) -> Any:
        raise SystemExit  # the worker dies

    started(system, "run-1")
    system.services.run = task
    with pytest.raises(SystemExit):
        system.work(system.received())
    system.services.run = lambda event: CANARY
    system.output()
    system.clock.ahead_ms += GRACE_MS
    assert system.sweep() == summary(checked=1, repaired=1)
    assert metrics(system.output().metrics) == [
        ("OpenRuns", 1, None),
        ("RunsSwept", 1, None),
        ("SweeperRepairs", 1, "EXPIRE"),
    ]
    system.clock.ahead_ms += GRACE_MS  # the next attempt has a delay
    system.sweep()
    system.settle()
    described = system.ask(action="describe", run_id="run-1")
    assert (described["status"], described["tasks"]["A"]["attempts"]) == ("SUCCEEDED", 2)


def spoil(system: System, run_id: str) -> None:
    """Let a run be one of a newer release."""
    system.dynamodb.update_item(
        TableName=TABLE,
        Key={"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": "RUN"}},
        UpdateExpression="SET #s = :s",
        ExpressionAttributeNames={"#s": "schema"},
        ExpressionAttributeValues={":s": {"N": "9"}},
    )


def test_a_run_that_fails_blocks_no_other(system: System) -> None:
    started(system, *(f"run-{i}" for i in range(1, 6)))
    system.received()
    spoil(system, "run-2")
    system.output()
    system.clock.ahead_ms += GRACE_MS
    assert system.sweep() == summary(checked=4, repaired=4, failed=1)
    output = system.output()
    assert metrics(output.metrics) == [
        ("OpenRuns", 5, None),
        ("RunsSwept", 4, None),
        ("SweepFailures", 1, None),
        ("SweeperRepairs", 4, "DISPATCH"),
    ]
    (lag_ms,) = [value for name, _, value, _ in output.metrics if name == "SweepLag"]
    assert 0 < lag_ms <= GRACE_MS, "the one that failed is due since its grace was over"
    (line,) = [line for line in output.lines if line["level"] == "ERROR"]
    assert (line["run_id"], line["reason"]) == (
        "run-2",
        "OrchestraError: RUN#run-2/RUN: schema 9 is newer than 1, the newest that this release knows",
    )
    system.clock.ahead_ms += 60_000
    assert system.sweep() == summary(failed=1), "it is tried again, and the others are not due"
    (later_ms,) = [value for name, _, value, _ in system.output().metrics if name == "SweepLag"]
    assert later_ms >= lag_ms + 60_000


def test_an_error_s_own_text_is_not_told(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Any:
        raise KeyError(CANARY)

    started(system, "run-1", "run-2")
    system.output()
    system.clock.ahead_ms += GRACE_MS
    with monkeypatch.context() as patched:
        patched.setattr("orchestration.store.DynamoStore.get_tasks", broken)
        assert system.sweep() == summary(failed=2)
    assert CANARY not in system.output().text
    with monkeypatch.context() as patched:
        patched.setattr("orchestration.store.DynamoStore.save", lambda *_: (_ for _ in ()).throw(THROTTLED))
        assert system.sweep() == summary(failed=2)
    assert system.sweep() == summary(checked=2, repaired=2)


def test_it_stops_in_time_and_goes_on_the_next_minute(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "PARALLEL_RUNS", 1)
    started(system, *(f"run-{i}" for i in range(1, 6)))
    system.output()
    system.clock.ahead_ms += GRACE_MS
    left = itertools.chain([60_000, 30_000, 15_001], itertools.repeat(15_000))
    assert system.sweep(Context(remaining_ms=lambda: next(left))) == summary(checked=3, repaired=3, left=2)
    output = system.output()
    assert [line["left"] for line in output.lines if "left" in line] == [2]
    assert system.sweep() == summary(checked=2, repaired=2)


def test_chance_says_which_run_is_first(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many runs fail each minute, and there is not time for all, no run is always behind them."""
    monkeypatch.setattr(sweeper, "PARALLEL_RUNS", 1)
    started(system, *(f"run-{i}" for i in range(6)))
    system.clock.ahead_ms += GRACE_MS
    looked_at: list[str] = []

    def look(_self: object, run_id: str) -> Swept:
        looked_at.append(run_id)
        return Swept(None)

    monkeypatch.setattr("orchestration.engine.Engine.sweep", look)
    engine = sweeper.engine()
    sweeper.sweep(replace(engine, chance=FakeChance()), lambda: True)
    first = list(looked_at)

    class Descending(FakeChance):
        def jitter(self) -> float:
            self.jitter_value -= 0.1
            return self.jitter_value

    sweeper.sweep(replace(engine, chance=Descending()), lambda: True)
    assert looked_at == [*first, *reversed(first)]


def test_every_kind_of_repair_is_counted_by_itself(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"run-1": (Repair.FOLLOW, Repair.EXPIRE), "run-2": (Repair.FOLLOW,), "run-3": ()}
    started(system, *found)
    system.output()
    system.clock.ahead_ms += GRACE_MS
    monkeypatch.setattr("orchestration.engine.Engine.sweep", lambda _, run_id: Swept(None, found[run_id]))
    assert system.sweep() == summary(checked=3, repaired=2)
    output = system.output()
    assert metrics(output.metrics) == [
        ("OpenRuns", 3, None),
        ("RunsSwept", 3, None),
        ("SweeperRepairs", 1, "EXPIRE"),
        ("SweeperRepairs", 2, "FOLLOW"),
    ]
    assert sorted(output.said("run_id", "repairs")) == [("run-1", ["FOLLOW", "EXPIRE"]), ("run-2", ["FOLLOW"])]


def test_a_cancel_that_was_cut_off_is_finished(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Any:
        raise THROTTLED

    started(system, "run-1")
    with monkeypatch.context() as patched:
        patched.setattr("orchestration.store.DynamoStore.get_tasks", broken)
        with pytest.raises(ClientError):
            system.ask(action="cancel", run_id="run-1")
    assert status(system, "run-1") == "CANCELING"
    system.output()
    system.clock.ahead_ms += GRACE_MS
    assert system.sweep() == summary(checked=1, repaired=1)
    assert status(system, "run-1") == "CANCELED"
    assert metrics(system.output().metrics) == [
        ("RunsCanceled", 1, "abc"),
        ("RunsSwept", 1, None),
        ("SweeperRepairs", 1, "SETTLE"),
    ]
