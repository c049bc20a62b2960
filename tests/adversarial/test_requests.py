"""Requests that want to do harm: bodies, sizes, ids, cursors, filters; and the same one from many sides at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import codec, orchestrator
from orchestration.model import Failure, Handoff, RunStatus, TaskState, TaskStatus
from orchestration.payload import LIMIT_BYTES, MAX_DEPTH, Json
from orchestration.tasks import MAX_MESSAGE_CHARS
from orchestration.workflow import ID, MAX_DEPENDENCIES, MAX_TASKS
from tests.adversarial.product import Product, settled
from tests.support.deployed import TABLE, System

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ID_RULE = "is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"
BY_RUN = ["describe", "output", "cancel", "redrive", "verify"]
"""The actions that take a run's id and nothing else."""


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Return what came of each call, or its error, all of them begun at the same moment."""
    together = threading.Barrier(len(calls))

    def begun(call: Callable[[], Any]) -> Any:
        together.wait(timeout=60)
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - a test looks at all of them
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begun, calls))


def nested(depth: int) -> Json:
    value: Json = 0
    for _ in range(depth):
        value = [value]
    return value


# -- group 13: bodies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": 1, "a": 2}', "is not JSON (the key 'a' is there twice)"),
        ('{"a": 1', None),
        ("[" * 10_000 + "]" * 10_000, "is nested too deeply"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "is nested more than 200 levels deep, or holds itself"),
        ('"\\ud800"', "holds a lone surrogate, which UTF-8 cannot express"),
        ("1e400", "is not JSON (the number 1e400 is too large)"),
        ("NaN", "is not JSON (NaN is not a JSON number)"),
        ("[-Infinity]", "is not JSON (-Infinity is not a JSON number)"),
        (
            "[3.141592653589793238462643]",
            ("holds the number 3.141592653589793238462643, which would be rounded to 3.141592653589793; "
            "send it as a string"),
        ),
        (
            '{"price": 1234567890123456.78}',
            "holds the number 1234567890123456.78, which would be rounded to 1234567890123456.8; send it as a string",
        ),
        (
            "9007199254740993.0",
            "holds the number 9007199254740993.0, which would be rounded to 9007199254740992.0; send it as a string",
        ),
        ("1e-400", "holds the number 1e-400, which would be rounded to 0.0; send it as a string"),
        ("9" * 5_000, None),
        (
            json.dumps("x" * (LIMIT_BYTES - 1)),
            "is 262145 bytes as JSON, and the limit is 262144; pass a reference to it instead (an S3 key)",
        ),
    ],
)  # fmt: skip
def test_an_input_that_is_refused_is_one_line_and_starts_nothing(text: str, line: str | None, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text(text)
    product = Product()
    before = product.trace()
    called = product.orchestra("run", "abc", "--input", f"@{tmp_path}/input.json")
    assert (called.exit_code, called.stdout, product.requests) == (2, "", [])
    assert len(called.stderr.splitlines()) == 1
    assert line is None or called.stderr.startswith(f"error: --input @{tmp_path}/input.json: {line}")
    assert product.trace() == before


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740993",  # 2 ** 53 + 1
        "123456789012345678901234567890",
        "-0.0",
        "0.1",
        "1.7976931348623157e+308",
        "5e-324",
        '{"__proto__":{"constructor":1},"":2}',
        '"é\u2028\\u0000😀"',
        "[" * MAX_DEPTH + "]" * MAX_DEPTH,
        '"' + "x" * (LIMIT_BYTES - 2) + '"',
        '"' + "x" * (LIMIT_BYTES - 3) + '"',
        '"' + "é" * (LIMIT_BYTES // 2 - 1) + '"',
    ],
    ids=lambda text: text[:20],
)
def test_an_input_that_is_accepted_is_stored_and_returned_byte_for_byte(text: str, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text(text)
    product = Product()
    product.world.services.run = lambda event: event["input"]
    started = product.orchestra("run", "abc", "--no-wait", "--input", f"@{tmp_path}/input.json", "--run-id", "r")
    assert (started.exit_code, started.stderr) == (0, "")
    assert list(product.world.store.inputs.values()) == [text]
    product.world.settle()
    assert {t.output for t in product.world.store.records.values() if isinstance(t, TaskState)} == {text}
    shown = product.orchestra("output", "r", "--json")
    assert json.dumps(json.loads(shown.stdout)["output"], ensure_ascii=False, separators=(",", ":")) == text


@pytest.mark.parametrize(
    "text", ["0.10", "0.30000000000000000000", "0.10000000000000001", "1.0E+2", "4.9E-324", "-0.0e-9", "19.99"]
)
def test_a_number_as_other_programs_write_it_is_that_number(text: str, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text(text)
    product = Product()
    assert product.orchestra("run", "abc", "--no-wait", "--input", f"@{tmp_path}/input.json").exit_code == 0
    (stored,) = product.world.store.inputs.values()
    assert repr(json.loads(stored)) == repr(float(text))


FIELDS = ["workflow", "input", "run_id", "definition", "task_id", "from_task", "epoch", "status", "limit", "cursor"]
FIELDS += ["id", "all"]
ACTIONS = ["start", "register", "describe", "output", "list", "workflows", "cancel", "redrive", "verify"]
ACTIONS += ["dead_letters", "dead_letter", "redrive_dead_letters", "drop_dead_letter"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_of_ten_thousand_levels_is_refused(action: str, field: str) -> None:
    """Python's own JSON reader, which Lambda uses, stops earlier: whoever invokes the function in another way."""
    valid = {"start": {"workflow": "abc"}, **{action: {"run_id": "r"} for action in BY_RUN}}
    Product().refusal({"action": action, **valid.get(action, {}), field: nested(10_000)})


# -- group 14: sizes ---------------------------------------------------------------------------------------------------


def size_of(value: Any) -> int:
    """Return the bytes of an attribute value, as DynamoDB counts them. Source: its developer guide, item sizes."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return 21
        case "NS":
            return 3 + 22 * len(content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + size_of(part) for name, part in content.items())
    raise AssertionError(kind)


def test_the_largest_task_fits_into_an_item() -> None:
    task = TaskState(
        run_id="r" * 64,
        task_id="t" * 64,
        status=TaskStatus.SUCCEEDED,
        version=10**15,
        attempt=10**9,
        owner="f" * 64,
        arrived=frozenset(range(MAX_TASKS - MAX_DEPENDENCIES, MAX_TASKS)),
        handoff=Handoff.STREAM,
        output='"' + "x" * (LIMIT_BYTES - 2) + '"',
        error=Failure("\U0001f600" * 256, "\U0001f600" * MAX_MESSAGE_CHARS, task="t" * 64),
    )
    item = codec.encode(task)
    optional = sum(100 for name in codec.TASK_ATTRIBUTES if name not in item)
    assert sum(len(name.encode()) + size_of(value) for name, value in item.items()) + optional < 400_000


@pytest.mark.parametrize("more", [0, 1])
def test_an_output_at_the_limit_and_beyond_is_recorded_or_fails_its_task(system: System, more: int) -> None:
    """On moto, which counts the bytes of an item as DynamoDB does."""
    system.services.run = lambda _: "x" * (LIMIT_BYTES - 2 + more)
    system.ask(action="register", definition={"name": "one", "tasks": {"A": {"service": "a"}}})
    system.ask(action="start", workflow="one", run_id="r", input="y" * (LIMIT_BYTES - 2))
    system.settle()
    run = system.ask(action="describe", run_id="r")
    assert run["status"] == ("FAILED" if more else "SUCCEEDED")
    if more:
        assert "is 262145 bytes as JSON, and the limit is 262144" in run["error"]["message"]
    else:
        assert system.ask(action="output", run_id="r")["output"] == "x" * (LIMIT_BYTES - 2)


# -- groups 11 and 12: ids of runs -------------------------------------------------------------------------------------


def test_fifty_starts_at_once_with_one_id_are_one_run(system: System) -> None:
    """Half of them with another input: the first decides which half is refused, and the others find the run."""
    served = orchestrator.requests()
    request = {"action": "start", "workflow": "abc", "run_id": "r"}
    answers = at_once(*(partial(orchestrator.answer, served, {**request, "input": n % 2}) for n in range(50)))
    assert [a["created"] for a in answers if "run" in a].count(True) == 1
    (winner,) = {number % 2 for number, answer in enumerate(answers) if "run" in answer}
    for number, answer in enumerate(answers):
        if number % 2 == winner:
            assert answer["run"]["run_id"] == "r"
        else:
            line = "run_id: 'r' is a run with another input already; use another id"
            assert answer == {"error": {"code": "Conflict", "message": line}}
    items = system.dynamodb.scan(TableName=TABLE)["Items"]
    kinds = sorted(item["sk"]["S"].split("#")[0] for item in items if item["pk"]["S"] == "RUN#r")
    assert kinds == ["INPUT", "RUN", "TASK"], "and the input of the others is not left behind"
    system.services.run = lambda event: event["input"]
    system.settle()
    assert system.ask(action="output", run_id="r")["output"] == winner
    assert len(system.services.calls) == 5


@pytest.mark.parametrize("action", BY_RUN)
def test_a_run_that_was_deleted_and_one_that_never_was_look_the_same(action: str) -> None:
    product = settled(run_input="secret")
    gone = replace(product.world)
    gone.store.records.clear()  # as the table's retention does
    never = Product()
    lines = {name: p.answer({"action": action, "run_id": "r"}) for name, p in (("gone", product), ("never", never))}
    assert lines["gone"] == lines["never"]
    assert lines["never"] == {"error": {"code": "NotFound", "message": "run_id: there is no run 'r'"}}


@given(st.text())
def test_any_text_is_a_run_or_is_refused(text: str) -> None:
    product = settled()
    for action in BY_RUN:
        request = {"action": action, "run_id": text}
        if text == "r":
            product.ask(**request)
        else:
            line = product.refusal(request)
            assert line == f"run_id: there is no run {text!r}" if ID.fullmatch(text) else line.endswith(ID_RULE)
    request = {"action": "start", "workflow": text, "run_id": "s"}
    assert text == "abc" or product.refusal(request)


# -- group 17: cancel and redrive --------------------------------------------------------------------------------------


def test_twenty_cancels_and_the_end_of_the_run_at_once_have_one_winner(system: System) -> None:
    """On moto. Whoever wins: the run ends once, every cancel is answered, and nothing that must hold does not."""
    system.ask(action="start", workflow="abc", run_id="r")
    for _ in range(2):
        system.work(system.received())
        system.advance(system.handed_to_the_stream(set()))
    message = system.received()
    served = orchestrator.requests()

    def end() -> dict[str, Any]:
        system.work(message)
        return system.advance(system.handed_to_the_stream(set()))

    answers = at_once(
        end,
        *[lambda: orchestrator.answer(served, {"action": "cancel", "run_id": "r"})] * 20,
    )
    assert answers[0] == {"batchItemFailures": []}
    assert {answer["run"]["run_id"] for answer in answers[1:]} == {"r"}
    assert sum(answer["changed"] for answer in answers[1:]) <= 1
    system.settle()
    status = system.ask(action="describe", run_id="r")["status"]
    assert status == ("CANCELED" if any(answer["changed"] for answer in answers[1:]) else "SUCCEEDED")
    assert system.ask(action="cancel", run_id="r")["run"]["status"] == status
    assert system.ask(action="verify", run_id="r") == {"checked": 1, "violations": [], "cursor": None}


def test_twenty_redrives_at_once_are_one(system: System) -> None:
    def broken(event: Mapping[str, Json]) -> Json:
        raise ValueError("once")

    system.services.run = broken
    system.ask(action="start", workflow="abc", run_id="r")
    system.settle()
    system.services.run = lambda event: event["task_id"]
    served = orchestrator.requests()
    answers = at_once(*[lambda: orchestrator.answer(served, {"action": "redrive", "run_id": "r"})] * 20)
    assert [answer["changed"] for answer in answers].count(True) == 1
    system.settle()
    run = system.ask(action="describe", run_id="r")
    assert run["status"] == "SUCCEEDED"
    assert sorted(event["task_id"] for _, event, _ in system.services.calls) == ["A", "A", "B1", "B2", "B3", "C"]
    assert system.ask(action="verify", run_id="r") == {"checked": 1, "violations": [], "cursor": None}


# -- groups 15 and 16: cursors and filters -----------------------------------------------------------------------------


def test_a_forged_cursor_is_a_place_in_the_list_that_one_may_read_anyway() -> None:
    """It is the time and id of a run, both of which the list shows: there is nothing in it to sign."""
    product = settled()
    newest = product.ask(action="list")
    forged = product.ask(action="list", cursor="9999999999999#zzzz")
    assert forged["runs"] == newest["runs"] != []
    assert product.ask(action="list", cursor="0000000000000#a") == {"runs": [], "cursor": None}
    assert product.ask(action="list", cursor="9999999999999#RUN", status="FAILED") == {"runs": [], "cursor": None}


@given(st.text() | st.integers() | st.lists(st.text()) | st.from_regex(r"\A[0-9]{13}#.{0,70}\Z"))
def test_any_cursor_is_a_place_or_is_refused(cursor: Json) -> None:
    product = settled()
    answer = product.answer({"action": "list", "cursor": cursor})
    if "error" in answer:
        assert answer["error"]["message"] == "cursor: is not one that a list has returned"
    else:
        assert len(answer["runs"]) <= 1


@pytest.mark.parametrize("text", ["%", "*", "abc*", ".*", "(a+)+$" * 20, "abc' OR '1'='1", ":pk", "#0", "abc#0", "$ne"])
def test_filters_are_compared_and_never_interpreted(text: str) -> None:
    product = settled()
    assert product.refusal({"action": "list", "workflow": text}).startswith("workflow: ")
    assert product.refusal({"action": "list", "status": text}).startswith("status: must be one of RUNNING, ")


def test_the_filters_of_the_table_are_no_expressions(dynamodb: DynamoDBClient, system: System) -> None:
    system.ask(action="start", workflow="abc", run_id="r")
    assert [run["run_id"] for run in system.ask(action="list", workflow="abc", status="RUNNING")["runs"]] == ["r"]
    assert "error" in system.ask(action="list", workflow="abc#0")
    for status in RunStatus:
        assert "error" not in system.ask(action="list", status=status)
