import json
from typing import Any

import pytest

from services.probe import handler as probe
from services.probe.handler import InvalidDirective, handler


def event(input_: Any = None, params: dict[str, Any] | None = None, attempt: int = 1) -> dict[str, Any]:
    return {"task_id": "T", "attempt": attempt, "params": params or {}, "input": input_, "upstream": {}}


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the probe would have slept, in order."""
    naps: list[float] = []
    monkeypatch.setattr(probe.time, "sleep", naps.append)
    return naps


@pytest.mark.parametrize("input_", [None, 7, "text", [], {}, {"other": 1}, {"tasks": 3}, {"tasks": {"T": 3}}])
def test_the_event_comes_back_unless_told_otherwise(input_: Any) -> None:
    assert handler(event(input_), None) == event(input_)


@pytest.mark.parametrize("value", [None, False, 0, "", [], {"a": [1, "é"]}])
def test_any_json_is_returned_as_it_is(value: Any) -> None:
    assert json.dumps(handler(event({"return": value}), None)) == json.dumps(value)


def test_parameters_win_over_the_task_s_place_in_the_input_and_that_over_the_rest() -> None:
    input_ = {"return": "all", "tasks": {"T": {"return": "mine"}, "U": {"return": "another's"}}}
    assert handler(event(input_, {"return": "params"}), None) == "params"
    assert handler(event(input_), None) == "mine"
    assert handler({**event(input_), "task_id": "V"}, None) == "all"


def test_each_directive_is_looked_up_by_itself(slept: list[float]) -> None:
    result = handler(event({"return": "all", "sleep_s": 9, "tasks": {"T": {"sleep_s": 2}}}, {"other": 1}), None)
    assert (result, slept) == ("all", [2])


def test_null_takes_back_a_sleep_and_a_failure(slept: list[float]) -> None:
    input_ = {"return": 1, "fail": "Broken", "sleep_s": 9}
    assert handler(event(input_, {"fail": None, "sleep_s": None}), None) == 1
    assert slept == [0]


@pytest.mark.parametrize("name", ["Broken", "E", "States.TaskFailed", "a_1", "InvalidDirective", "A" + "b" * 99])
def test_the_error_has_exactly_the_name_that_was_asked_for(name: str) -> None:
    with pytest.raises(Exception, match=r"^asked to fail$") as caught:
        handler(event({"fail": name}), None)
    assert type(caught.value).__name__ == name


def test_a_failure_may_have_a_message_and_an_end() -> None:
    params = {"fail": {"name": "Flaky", "message": "try again", "attempts": 2}, "return": "done"}
    for attempt in (1, 2):
        with pytest.raises(Exception, match=r"^try again$"):
            handler(event(params=params, attempt=attempt), None)
    assert handler(event(params=params, attempt=3), None) == "done"


def test_it_sleeps_before_it_fails(slept: list[float]) -> None:
    with pytest.raises(Exception, match="asked to fail"):
        handler(event({"sleep_s": 0.5, "fail": "Late"}), None)
    assert slept == [0.5]


@pytest.mark.parametrize(
    "directives",
    [
        {"sleep_s": -1},
        {"sleep_s": 900.5},
        {"sleep_s": "1"},
        {"sleep_s": True},
        {"sleep_s": float("nan")},
        {"fail": ""},
        {"fail": "1st"},
        {"fail": "Has space"},
        {"fail": "A" + "b" * 100},
        {"fail": "Trailing\n"},
        {"fail": 7},
        {"fail": {}},
        {"fail": {"name": "A", "attempt": 1}},
        {"fail": {"name": "A", "message": 7}},
        {"fail": {"name": "A", "attempts": -1}},
        {"fail": {"name": "A", "attempts": 1.5}},
        {"fail": {"name": "A", "attempts": True}},
        {"die": -1},
        {"die": True},
        {"die": 101},
        {"size": 1},
        {"size": 2.5},
        {"size": 10_000_001},
    ],
)
def test_what_cannot_be_followed_is_refused_before_anything_is_done(
    directives: dict[str, Any], slept: list[float]
) -> None:
    for given in (event(directives), event(params=directives), event({"tasks": {"T": directives}})):
        with pytest.raises(InvalidDirective, match=rf"^{next(iter(directives))}[^\n]*$"):
            handler(given, None)
    assert slept == []


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(probe.os, "_exit", leave)


@pytest.mark.usefixtures("exits")
def test_it_dies_as_often_as_it_is_told() -> None:
    params = {"die": 2, "return": "alive"}
    for attempt in (1, 2):
        with pytest.raises(SystemExit):
            handler(event(params=params, attempt=attempt), None)
    assert handler(event(params=params, attempt=3), None) == "alive"


@pytest.mark.parametrize("size", [2, 3, 262_144])
def test_a_size_is_that_of_the_json(size: int) -> None:
    assert len(json.dumps(handler(event({"size": size}), None))) == size


def of_a_run(run_id: str, **changed: Any) -> dict[str, Any]:
    key = f"{run_id}/T"
    return {**event({"digest": True, "x": 1}), "run_id": run_id, "idempotency_key": key, "deadline_at": 1, **changed}


def test_a_digest_is_the_same_in_every_run() -> None:
    seen = handler(of_a_run("r-1"), None)
    assert seen == {"event": probe.digest(of_a_run("r-1")), "return": None}
    assert len(seen["event"]) == 64
    assert handler(of_a_run("r-2", deadline_at=2), None) == seen
    assert handler(of_a_run("r-1", input={"x": 1.0, "digest": True}), None) == seen


@pytest.mark.parametrize(
    "changed",
    [
        {"task_id": "U"},
        {"attempt": 2},
        {"params": {"x": 1}},
        {"params": {"x": None}},
        {"input": {"digest": True, "x": True}},
        {"input": {"digest": True, "x": 1.5}},
        {"input": {"digest": True, "x": "1"}},
        {"upstream": {"A": None}},
        {"idempotency_key": "r-1/U"},
        {"idempotency_key": "r-2/T"},
        {"more": None},
    ],
)
def test_a_digest_tells_every_other_difference(changed: dict[str, Any]) -> None:
    assert handler(of_a_run("r-1", **changed), None) != handler(of_a_run("r-1"), None)


def test_a_digest_goes_with_a_value_and_with_a_failure() -> None:
    told = of_a_run("r-1", params={"return": 7, "fail": {"name": "Broken", "attempts": 1}})
    with pytest.raises(Exception, match=rf"^asked to fail \(event {probe.digest(told)}\)$"):
        handler(told, None)
    again = {**told, "attempt": 2}
    assert handler(again, None) == {"event": probe.digest(again), "return": 7}
