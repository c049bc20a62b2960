"""`orchestra asl`: what it prints where, of a deployed workflow and of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.commands.asl import PLACEHOLDER
from orchestration.asl import compile_workflow, version_of
from orchestration.payload import Json
from orchestration.workflow import Workflow
from tests.cli.fake import ABC_MACHINE, call, compiled
from tests.support import shapes

ASL = {"action": "asl", "workflow": "abc"}
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_deployed_workflow_is_asked_for() -> None:
    called = call("asl", "abc", "--stack", "dev", answers=[ABC_MACHINE])
    assert (called.exit_code, called.requests, called.choices[0].stack) == (0, [ASL], "dev")
    assert called.document == ABC_MACHINE["definition"]
    assert called.stderr.splitlines()[1] == "6 transitions a run without a retry: 5 tasks, 1 Parallel state"


def test_the_summary_alone_goes_to_standard_output() -> None:
    called = call("asl", "abc", "--summary", answers=[ABC_MACHINE])
    assert (called.exit_code, called.stderr, len(called.stdout.splitlines())) == (0, "", 4)


@pytest.mark.parametrize("flags", [(), ("--summary",)])
def test_json_is_one_document(flags: tuple[str, ...]) -> None:
    called = call("asl", "abc", "--json", *flags, answers=[ABC_MACHINE])
    assert (called.exit_code, called.stderr, called.document) == (0, "", json.loads(json.dumps(ABC_MACHINE)))


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_a_file_is_compiled_without_a_deployment(file: Path) -> None:
    workflow = Workflow.from_json(json.loads(file.read_bytes()))
    called = call("asl", str(file), "--json")
    assert (called.exit_code, called.requests, called.choices) == (0, [], [])
    expected = compile_workflow(workflow, {name: PLACEHOLDER + name for name in workflow.services})
    assert called.document["definition"] == expected.definition
    assert called.document["transitions"] == expected.transitions
    assert version_of(json.dumps(called.document["definition"])) == workflow.version == called.document["version"]


def test_a_definition_on_standard_input() -> None:
    definition: Json = shapes.diamond().to_json()
    called = call("asl", "-", stdin=json.dumps(definition).encode())
    assert (called.exit_code, called.requests) == (0, [])
    assert called.document["States"]["A"]["Resource"] == PLACEHOLDER + "a"
    assert called.document["Comment"] == compiled(shapes.diamond())["definition"]["Comment"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"name": "x"}', "tasks: is missing"),
        ('{"name": "x", "tasks": {"A": {"service": "a", "after": ["B"]}}}', "tasks.A.after: names 'B', which is not"),
        ("[", "is not JSON"),
    ],
)
def test_a_definition_that_breaks_a_rule_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "flow.json"
    file.write_text(content)
    called = call("asl", str(file))
    assert (called.exit_code, called.stdout, called.stderr.count("\n")) == (2, "", 1)
    assert called.stderr.startswith(f"error: {file}: ")
    assert message in called.stderr
    called = call("asl", "-", "--json", stdin=content.encode())
    assert (called.exit_code, called.document["error"]["code"]) == (2, "InvalidInput")


def test_a_name_is_never_taken_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("abc").write_text("{}")
    assert call("asl", "abc", answers=[ABC_MACHINE]).requests == [ASL]
    assert call("asl", "./abc").stderr == "error: ./abc: name: is missing from the workflow\n"


def test_what_the_orchestrator_refuses_exits_with_2() -> None:
    refusal = {"error": {"code": "NotFound", "message": "workflow: there is no 'nope'"}}
    called = call("asl", "nope", answers=[refusal])
    assert (called.exit_code, called.stdout, called.stderr) == (2, "", "error: workflow: there is no 'nope'\n")
