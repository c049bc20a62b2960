"""What task services return, raise and do to themselves: an output, or an error with a name; and nothing to others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import payload
from orchestration.model import TaskStatus
from orchestration.payload import LIMIT_BYTES, Json
from orchestration.tasks import MAX_MESSAGE_CHARS, Raised, Returned, result_of
from tests.adversarial.product import settled
from tests.adversarial.runtime import Outcome, run
from tests.support import shapes
from tests.support.memory import FakeServices
from tests.support.world import World


def event(action: str) -> bytes:
    return json.dumps({"do": action}).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("service")
    shutil.copy(Path(__file__).with_name("hostile.py"), made / "handler.py")
    return made


RETURNED = {"ok": '"ok"', "none": "null", "fork": '"parent"'}
CANNOT = "Unable to marshal response: "
RAISED = {
    "bytes": ("Runtime.MarshalError", f"{CANNOT}Object of type bytes is not JSON serializable"),
    "set": ("Runtime.MarshalError", f"{CANNOT}Object of type set is not JSON serializable"),
    "nan": ("Runtime.MarshalError", f"{CANNOT}Out of range float values are not JSON compliant"),
    "object": ("Runtime.MarshalError", f"{CANNOT}Object of type object is not JSON serializable"),
    "generator": ("Runtime.MarshalError", f"{CANNOT}Object of type generator is not JSON serializable"),
    "cycle": ("Runtime.MarshalError", f"{CANNOT}Circular reference detected"),
    "deep": ("Runtime.MarshalError", f"{CANNOT}maximum recursion depth exceeded"),
    "surrogate": ("Runtime.MarshalError", f"{CANNOT}'utf-8' codec can't encode character"),
    "keys": ("Runtime.MarshalError", f"{CANNOT}keys must be str, int, float, bool or None"),
    "large": ("States.DataLimitExceeded", "the task's output: is 10000002 bytes as JSON, and the limit is 262144"),
    "recursion": ("RecursionError", "maximum recursion depth exceeded"),
    "group": ("ExceptionGroup", "several (2 sub-exceptions)"),
    "secret": ("Secret", "token=hunter2 xxx"),
}
ENDED = ["exit", "interrupt", "generator exit", "unspeakable", "close stdout", "kill"]


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> Mapping[str, Outcome]:
    """What one environment reports of all that does not end it, one invocation after the other."""
    actions = [*RAISED, *RETURNED]
    return dict(zip(actions, run(folder, [event(action) for action in actions]), strict=True))


@pytest.mark.parametrize("action", RETURNED)
def test_what_is_json_is_an_output(outcomes: Mapping[str, Outcome], action: str) -> None:
    outcome = outcomes[action]
    assert result_of(outcome.body, failed=outcome.failed) == Returned(RETURNED[action])


@pytest.mark.parametrize("action", RAISED)
def test_what_is_none_is_an_error_with_a_name(outcomes: Mapping[str, Outcome], action: str) -> None:
    name, message = RAISED[action]
    outcome = outcomes[action]
    result = result_of(outcome.body, failed=outcome.failed)
    assert isinstance(result, Raised)
    assert result.failure.name == name
    assert result.failure.message.startswith(message)
    assert len(result.failure.message) <= MAX_MESSAGE_CHARS


@pytest.mark.parametrize("action", ENDED)
def test_a_process_that_ends_reports_nothing(folder: Path, action: str) -> None:
    """Lambda answers the invocation then, with an error of its own: see the failures of the runtime."""
    assert run(folder, [event(action), event("ok")]) == []


# -- what comes back over the wire -------------------------------------------------------------------------------------


@given(
    st.binary() | st.text().map(str.encode) | st.from_regex(rb"\A-?[0-9]{0,30}(\.[0-9]{1,40})?([eE]-?[0-9]{1,3})?\Z")
)
def test_any_bytes_are_an_output_or_an_error_that_can_be_stored(body: bytes) -> None:
    for failed in (False, True):
        result = result_of(body, failed=failed)
        if isinstance(result, Returned):
            assert payload.parse(result.output, what="output") == json.loads(body or b"null")
            assert payload.dump(payload.parse(result.output, what="output"), what="output") == result.output
        else:
            assert isinstance(result, Raised)
            assert 1 <= len(result.failure.name) <= 256
            assert len(result.failure.message) <= MAX_MESSAGE_CHARS
            assert (result.failure.name + result.failure.message).encode()


@pytest.mark.parametrize("body", ["0.3333333333333333333333333333", "[1e-400]", "1234567890123456.78"])
def test_an_output_is_never_rounded(body: str) -> None:
    """Python's runtime writes a Decimal with all its digits; a double is always written so that it reads as itself."""
    result = result_of(body.encode(), failed=False)
    assert isinstance(result, Raised)
    assert result.failure.name == "Orchestra.InvalidOutput"
    assert result.failure.message.startswith("the task's output: holds the number ")
    assert result.failure.message.endswith("; send it as a string")


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["", ".17g", ".17e", ".60e"]))
def test_a_double_is_accepted_however_it_is_written(value: float, form: str) -> None:
    text = format(value, form) if form else repr(value)
    result = result_of(text.encode(), failed=False)
    assert isinstance(result, Returned)
    assert float(result.output) == value


# -- the others --------------------------------------------------------------------------------------------------------


def test_one_hostile_task_leaves_the_others_alone() -> None:
    """Three at a time beside it: they succeed, and what waits for it alone is canceled."""

    def task(event: Mapping[str, Json]) -> Json:
        if event["task_id"] == "B2":
            raise type("\x1b[31mBoom\n", (Exception,), {})("\ud83d" * 3 + "x" * 5_000)
        return event["task_id"]

    world = World(services=FakeServices(task))
    world.start(shapes.diamond())
    world.settle()
    assert world.statuses(shapes.diamond()) == {
        "A": "SUCCEEDED", "B1": "SUCCEEDED", "B2": "FAILED", "B3": "SUCCEEDED", "C": "CANCELED",
    }  # fmt: skip
    assert world.run().status == "FAILED"


@pytest.mark.parametrize("value", [{1}, b"x", float("nan"), object(), "\ud800", "x" * LIMIT_BYTES, {1: 2}])
def test_what_no_item_could_hold_fails_its_task_and_no_other(value: object) -> None:
    product = settled(task=lambda event: value if event["task_id"] == "B2" else None)
    tasks = product.ask(action="describe", run_id="r")["tasks"]
    assert {name: task["status"] for name, task in tasks.items()} == {
        "A": TaskStatus.SUCCEEDED,
        "B1": TaskStatus.SUCCEEDED,
        "B2": TaskStatus.FAILED,
        "B3": TaskStatus.SUCCEEDED,
        "C": TaskStatus.CANCELED,
    }
