from __future__ import annotations

import pulumi_aws.sqs as sqs
import pytest

from components.errors import ProgramError
from components.state_machines import flow_prefix, machine_name
from tests import snapshot as harness
from tests.snapshot import snapshot


def named(workflow: str | None = None) -> str:
    """Return the name of a workflow's state machine as a program of this stack has it, or what all begin with."""
    found: list[str] = []

    def program() -> None:
        sqs.Queue("any")
        found.append(flow_prefix() if workflow is None else machine_name(workflow))

    snapshot(program)
    return found[0]


def test_state_machines_are_named_for_the_project_the_stack_and_the_workflow() -> None:
    assert named() == "orchestra-test-"
    assert named("abc") == "orchestra-test-abc"


def test_a_name_of_eighty_characters_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "STACK", "staging-2")
    assert len(named("w" * 60)) == 80


def test_a_longer_name_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "STACK", "staging-2")
    with pytest.raises(ProgramError) as refused:
        named("w" * 61)
    assert str(refused.value) == (
        f"workflow '{'w' * 61}': its state machine orchestra-staging-2-{'w' * 61} has a name of 81 characters, and the"
        " limit is 80; give the workflow, the project or the stack a shorter name"
    )


def test_a_stack_that_leaves_no_room_for_a_workflow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "STACK", "s" * 69)
    with pytest.raises(ProgramError) as refused:
        named()
    assert str(refused.value) == (
        f"state machines are named orchestra-{'s' * 69}-<workflow>, in at most 80 characters, and none is left for the"
        " workflow; give the project or the stack a shorter name"
    )
