"""`orchestra doctor`: what it prints and exits with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli import stack_health
from cli.health import Check, broken, fine, left_out
from cli.machine import Machine
from tests.cli.fake import call

HOSTILE = "\x1b[31mred\x07 [/bold]"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What the command has asked for; a stack `sick` and a machine for AWS are broken."""
    seen: list[tuple[str, bool]] = []

    def machine(_self: Machine, stack: str, *, for_aws: bool) -> Iterator[Check]:
        seen.append((stack, for_aws))
        yield fine("Python", "3.11.7")
        yield broken("Pulumi", HOSTILE, "install it") if for_aws else left_out("Pulumi", "is not on the path")

    def stack(stack: str, _connect: object, *, for_aws: bool) -> Iterator[Check]:
        seen.append((stack, for_aws))
        yield broken("stack", "does not answer", "kill it") if stack == "sick" else left_out("stack", "is down", "up")

    monkeypatch.setattr(Machine, "checks", machine)
    monkeypatch.setattr(stack_health, "checks", stack)
    return seen


def test_what_is_fine_exits_with_0(asked: list[tuple[str, bool]]) -> None:
    called = call("doctor")
    assert (called.exit_code, called.stderr, called.requests) == (0, "", [])
    assert called.stdout.splitlines() == [
        "✓ Python       3.11.7",
        "– Pulumi       is not on the path",  # noqa: RUF001 - a dash
        "– stack        is down",  # noqa: RUF001 - a dash
        "               up",
        "",
        "All that the local target needs is here",
    ]
    assert asked == [("local", False)] * 2


def test_what_is_broken_exits_with_1_and_says_how_to_mend_it(asked: list[tuple[str, bool]]) -> None:
    called = call("doctor", "--aws", "--stack", "sick")
    assert (called.exit_code, called.stderr) == (1, "")
    assert called.stdout.splitlines() == [
        "✓ Python       3.11.7",
        "✗ Pulumi       red [/bold]",
        "               install it",
        "✗ stack        does not answer",
        "               kill it",
        "",
        "2 faults",
    ]
    assert asked == [("sick", True)] * 2


def test_the_stack_of_the_environment_is_looked_at(asked: list[tuple[str, bool]]) -> None:
    assert call("doctor", env={"ORCHESTRA_STACK": "mine"}).exit_code == 0
    assert call("doctor", "--stack", "other", env={"ORCHESTRA_STACK": "mine"}).exit_code == 0
    assert [stack for stack, _ in asked] == ["mine", "mine", "other", "other"]


def test_json_is_one_document(asked: list[tuple[str, bool]]) -> None:
    called = call("doctor", "--json", "--stack", "sick")
    assert (called.exit_code, called.stderr, len(asked)) == (1, "", 2)
    assert called.document == {
        "healthy": False,
        "checks": [
            {"name": "Python", "state": "fine", "found": "3.11.7", "mend": ""},
            {"name": "Pulumi", "state": "left out", "found": "is not on the path", "mend": ""},
            {"name": "stack", "state": "broken", "found": "does not answer", "mend": "kill it"},
        ],
    }
