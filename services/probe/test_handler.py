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
    ],
)
def test_what_cannot_be_followed_is_refused_before_anything_is_done(
    directives: dict[str, Any], slept: list[float]
) -> None:
    for given in (event(directives), event(params=directives), event({"tasks": {"T": directives}})):
        with pytest.raises(InvalidDirective, match=rf"^{next(iter(directives))}[^\n]*$"):
            handler(given, None)
    assert slept == []
