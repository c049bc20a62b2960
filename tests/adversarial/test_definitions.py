"""Definitions that want to do harm, from the file to the table. What is refused has left no trace anywhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.payload import LIMIT_BYTES, Json
from orchestration.workflow import ID, Workflow
from tests.adversarial.product import SERVICES, Product
from tests.support import shapes
from tests.support.deployed import System

ID_RULE = "is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"
TOO_LARGE = "a value that is too large to show"
NESTED: Any = []
for _ in range(10_000):
    NESTED = [NESTED]


def of(**tasks: Json) -> dict[str, Json]:
    return {"name": "w", "tasks": tasks}


def task(**fields: Json) -> dict[str, Json]:
    return of(t={"service": "a", **fields})


# -- what breaks a rule leaves no trace --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("definition", "line"),
    [
        # groups 1 and 2: the graph
        (of(t={"service": "a", "after": ["t"]}), "tasks: the dependencies form a cycle: t -> t"),
        (
            of(t={"service": "a", "after": ["u"]}, u={"service": "a", "after": ["t"]}),
            "tasks: the dependencies form a cycle: t -> u -> t",
        ),
        (task(after=["gone"]), "tasks.t.after: names 'gone', which is not a task"),
        (of(b1={"service": "a"}, B1={"service": "a"}), "tasks: 'b1' and 'B1' differ in nothing but case"),
        # group 3: its size
        (of(), "tasks: is empty, and a workflow has at least one task"),
        (
            of(**{f"t{i}": {"service": "a"} for i in range(1_001)}),
            "tasks: 1001 tasks have no dependent, and the limit is 1000",
        ),
        # group 5: ids
        ({**of(t={"service": "a"}), "name": "a#TASK#b"}, f"name: 'a#TASK#b' {ID_RULE}"),
        (of(**{"../t": {"service": "a"}}), f"tasks: '../t' {ID_RULE}"),
        ({**of(), "tasks": {"e\u0301": {"service": "a"}}}, f"tasks: 'e\\u0301' {ID_RULE}"),  # é, in two characters
        # group 7: numbers
        (task(timeout_s=0), "tasks.t.timeout_s: must be a whole number from 1 to 840, not 0"),
        (task(timeout_s=901), "tasks.t.timeout_s: must be a whole number from 1 to 840, not 901"),
        (task(timeout_s=True), "tasks.t.timeout_s: must be a whole number from 1 to 840, not True"),
        (task(timeout_s="10"), "tasks.t.timeout_s: must be a whole number from 1 to 840, not '10'"),
        (task(retry={"max_attempts": 0}), "tasks.t.retry.max_attempts: must be a whole number from 1 to 100, not 0"),
        (task(retry={"backoff": 1e308}), "tasks.t.retry.backoff: must be a number from 1 to 10, not 1e+308"),
        (
            task(total_timeout_s=-1),
            "tasks.t.total_timeout_s: must be a whole number from 1 to 31536000, not -1",
        ),
        (
            task(at_most_once=True, retry={"max_attempts": 5}),
            "tasks.t.at_most_once: excludes a retry, and retry.max_attempts is 5; leave one out",
        ),
        ({**task(), "timeout_s": 1e308}, "timeout_s: must be a whole number from 1 to 31536000, not 1e+308"),
        # group 9: a service is named, never addressed
        *(
            (of(t={"service": address}), f"tasks.t.service: '{address}' {ID_RULE}")
            for address in (
                "arn:aws:lambda:eu-central-1:999999999999:function:other",
                "arn:aws:lambda:*:*:function:*",
                "orchestrator:$LATEST",
                "http://169.254.169.254/latest/meta-data",
            )
        ),
        (
            of(t={"service": "orchestrator"}),
            "service: 'orchestrator' is not deployed; the services are a, b, b1, b2, b3, c",
        ),
        # groups 13 and 14: what a definition holds
        (
            task(params={"x": "y" * LIMIT_BYTES}),
            ("tasks.t.params: is 262152 bytes as JSON, and the limit is 262144; pass a reference to it instead "
            "(an S3 key)"),
        ),
        (task(params={"x": NESTED}), "tasks.t.params: is nested more than 200 levels deep, or holds itself"),
        (task(params=NESTED), "tasks.t.params: must be an object, not a list"),
        (of(t=NESTED), "tasks.t: must be an object, not a list"),
        (task(after=[NESTED]), f"tasks.t.after: must be a list of strings, and {TOO_LARGE} is a list"),
        (task(timeout_s=NESTED), f"tasks.t.timeout_s: must be a whole number from 1 to 840, not {TOO_LARGE}"),
        (NESTED, "workflow: must be an object, not a list"),
        (task(params={"x": "\ud800"}), "tasks.t.params: holds a lone surrogate, which UTF-8 cannot express"),
        (task(params={"x": float("nan")}), "tasks.t.params: holds nan, which JSON cannot express"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_leaves_no_trace(definition: Json, line: str) -> None:
    assert Product().refusal({"action": "register", "definition": definition}) == line


@given(st.text())
def test_any_text_is_an_id_or_is_refused_wherever_an_id_is_meant(text: str) -> None:
    product = Product()
    definitions = [
        {"name": text, "tasks": {"t": {"service": "a"}}},
        {"name": "w", "tasks": {text: {"service": "a"}}},
        {"name": "w", "tasks": {"t": {"service": "a"}, "u": {"service": "a", "after": [text]}}},
        {"name": "w", "tasks": {"t": {"service": text}}},
    ]
    allowed = [ID.fullmatch(text), ID.fullmatch(text), text == "t", text in SERVICES]
    for definition, fine in zip(definitions, allowed, strict=True):
        request = {"action": "register", "definition": definition}
        if fine:
            assert product.ask(**request)["name"] == definition["name"]
        else:
            product.refusal(request)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.text(), max_size=3))
def test_names_within_params_are_data(params: dict[str, Json]) -> None:
    """Reserved words, `#name`, `:name` and `a.b` mean something in DynamoDB's expressions, and nothing here."""
    if any("\ud800" <= character <= "\udfff" for character in "".join(map(str, params.values()))):
        return
    product = Product()
    definition = of(t={"service": "a", "params": params})
    product.ask(action="register", definition=definition)
    product.ask(action="start", workflow="w", run_id="r")
    product.world.settle()
    ((_, event, _),) = product.world.services.calls
    assert event["params"] == params
    (stored,) = [text for (name, _), text in product.world.definitions.versions.items() if name == "w"]
    assert stored == Workflow.from_json(definition).canonical()


# -- size: bounded work, and no recursion ------------------------------------------------------------------------------


@contextmanager
def shallow(frames: int = 60) -> Iterator[None]:
    """Leave only so many frames for what is called: nothing in it may recurse with the size of a graph."""
    depth, frame = 0, cast("FrameType | None", sys._getframe())
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + frames)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def calls_of(work: Callable[[], object]) -> int:
    """Return how many functions are called: a measure of the work that no other process disturbs."""
    count = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("shape", [shapes.chain, shapes.wide])
def test_the_work_for_a_definition_grows_with_its_size_and_no_faster(shape: Callable[[int], Workflow]) -> None:
    small, large = (shape(size).to_json() for size in (200, 2_000))
    with shallow():
        ten = calls_of(lambda: Workflow.from_json(large).version)
        assert ten < 12 * calls_of(lambda: Workflow.from_json(small).version)


def test_a_ring_of_ten_thousand_is_found_without_recursion() -> None:
    def ring(size: int) -> Json:
        return of(**{f"t{i}": {"service": "a", "after": [f"t{(i + 1) % size}"]} for i in range(size)})

    with shallow(100):
        work = {
            n: calls_of(partial(Product().refusal, {"action": "register", "definition": ring(n)}))
            for n in (1_000, 10_000)
        }
    assert work[10_000] < 12 * work[1_000]


@pytest.mark.parametrize("shape", [shapes.chain, shapes.wide])
def test_a_run_of_ten_thousand_tasks_is_started_and_described(shape: Callable[[int], Workflow]) -> None:
    product = Product()
    definition = shape(10_000)
    with shallow(100):
        product.ask(action="register", definition=definition.to_json())
        product.ask(action="start", workflow=definition.name, run_id="r")
        assert len(product.ask(action="describe", run_id="r")["tasks"]) == 10_000
    assert len(product.world.store.records) == 1 + len(definition.roots), "a task is written when it has become READY"
    assert len(product.world.queue.messages) == len(definition.roots)


# -- files -------------------------------------------------------------------------------------------------------------

BOMB = "a: &a [x, x]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("w.yml", BOMB, "line 1, column 4: anchors and aliases are not accepted"),
        (
            "w.yml",
            "!!python/object/apply:os.system [id]",
            "line 1, column 1: the tag '!!python/object/apply:os.system' is not accepted",
        ),
        ("w.yml", "name: w\nname: v\n", "line 2, column 1: the key 'name' is there twice"),
        ("w.yml", "tasks:\n\tt: {}\n", "line 2, column 1: found character '\\t' that cannot start any token"),
        ("w.yml", "[" * 100_000, "is nested too deeply"),
        ("w.yml", "{a: " * 100_000, "is nested too deeply"),
        ("w.yml", "caf\xe9".encode("latin-1"), "is not UTF-8 (byte 3); convert it first, e.g. with iconv"),
        ("w.yml", "name: \ud7ff\nn: 1e400", "line 2, column 4: is not JSON (the number 1e400 is too large)"),
        (
            "w.yml",
            "n: 3.141592653589793238462643",
            ("line 1, column 4: holds the number 3.141592653589793238462643, which would be rounded to "
            "3.141592653589793; send it as a string"),
        ),
        # a tag says what to make of a text that may be no such thing
        *(
            ("w.yml", f"n: {tag} {text}", f"line 1, column 4: the tag '{tag}' is not accepted")
            for tag, text in (
                ("!!int", "abc"), ("!!int", "''"), ("!!float", "x"), ("!!bool", "maybe"), ("!!timestamp", "x"),
                ("!!timestamp", "2026-99-99"), ("!!map", "[1]"), ("!!binary", "'*'"), ("!!set", "{b}"), ("!", "x"),
            )
        ),
        ("w.json", '{"name": "w", "name": "v"}', "is not JSON (the key 'name' is there twice)"),
        ("w.json", '{"name": "w"', "is not JSON (Expecting ',' delimiter: line 1 column 13 (char 12))"),
        ("w.json", "[" * 100_000, "is nested too deeply"),
        ("w.json", "[NaN]", "is not JSON (NaN is not a JSON number)"),
        (
            "w.json",
            "[0.12345678901234567890]",
            ("holds the number 0.12345678901234567890, which would be rounded to 0.12345678901234568; "
            "send it as a string"),
        ),
        ("w.json", "\ufeff[1e-400]", "holds the number 1e-400, which would be rounded to 0.0; send it as a string"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_definition_is_not_sent(name: str, text: str | bytes, line: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    product = Product()
    called = product.orchestra("register", str(path))
    assert (called.exit_code, called.stdout, product.requests) == (2, "", [])
    assert called.stderr == f"error: {path}: {line}\n"


@pytest.mark.parametrize("name", ["w.yml", "w.json"])
def test_a_number_of_thousands_of_digits_is_not_sent(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text('{"n": ' + "9" * 5_000 + "}")
    product = Product()
    called = product.orchestra("register", str(path))
    assert (called.exit_code, called.stdout, product.requests) == (2, "", [])
    assert "Exceeds the limit (4300 digits) for integer string conversion" in called.stderr
    assert len(called.stderr.splitlines()) == 1


@pytest.mark.parametrize(("depth", "line"), [(199, None), (200, "is nested more than 203 levels deep")])
def test_params_in_a_file_are_as_deep_as_anywhere(depth: int, line: str | None, tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text(json.dumps(task(params={"x": None})).replace("null", "[" * depth + "]" * depth))
    called = Product().orchestra("register", str(path))
    assert called.exit_code == (2 if line else 0)
    assert line is None or line in called.stderr


@pytest.mark.parametrize("name", ["w.yml", "w.json"])
def test_a_file_of_50_mb_is_not_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(50_000_000)
    product = Product()
    called = product.orchestra("register", str(path))
    assert (called.exit_code, called.stdout, product.requests) == (2, "", [])
    assert "is larger than 4194304 bytes, the most that is read" in called.stderr


@pytest.mark.parametrize("word", ["on", "no", "y", "TRUE", "1e3", "0o17", "0x1f", "2026-11-23", "1_30", "null", "~x"])
def test_an_id_in_yaml_is_never_guessed_to_be_something_else(word: str, tmp_path: Path) -> None:
    path = tmp_path / "w.yml"
    path.write_text(f"name: w\ntasks:\n  {word}: {{service: a}}\n  last: {{service: a, after: ['{word}']}}\n")
    product = Product()
    called = product.orchestra("register", str(path))
    if ID.fullmatch(word):
        assert called.exit_code == 0
        assert set(product.requests[0]["definition"]["tasks"]) == {word, "last"}
    else:
        assert (called.exit_code, called.stderr) == (2, f"error: tasks: '{word}' {ID_RULE}\n")


def test_what_the_orchestrator_refuses_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text(json.dumps(of(t={"service": "a", "after": ["t"]})))
    product = Product()
    before = product.trace()
    called = product.orchestra("register", str(path))
    assert (called.exit_code, called.stdout) == (2, "")
    assert called.stderr == "error: tasks: the dependencies form a cycle: t -> t\n"
    assert product.trace() == before


# -- names that mean something to a database ---------------------------------------------------------------------------

RESERVED = ["status", "size", "name", "SET", "REMOVE", "AND", "attribute_not_exists", "pk", "sk", "schema", "__proto__"]


def test_tasks_named_as_reserved_words_run(system: System) -> None:
    system.services.run = lambda event: {"#n": event["task_id"], ":v": 1, "a.b[0]": None, "": "empty"}
    tasks = {word: {"service": "a", "after": RESERVED[:i]} for i, word in enumerate(RESERVED)}
    system.ask(action="register", definition={"name": "SELECT", "tasks": tasks})
    system.ask(action="start", workflow="SELECT", run_id="WHERE", input={"#n": ":v"})
    system.settle()
    for word in RESERVED:
        answer = system.ask(action="output", run_id="WHERE", task_id=word)
        assert answer == {"run_id": "WHERE", "output": {"#n": word, ":v": 1, "a.b[0]": None, "": "empty"}}
    assert system.ask(action="describe", run_id="WHERE")["status"] == "SUCCEEDED"
    assert [run["run_id"] for run in system.ask(action="list", workflow="SELECT")["runs"]] == ["WHERE"]
