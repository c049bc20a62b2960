"""`orchestra dlq`: what it sends, prints and exits with."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock
from unittest.mock import call as mock_call

import pytest

from cli.deployment import Choice
from tests.cli.fake import NOW, RUN_ID, call

ONE, TWO = "0b5f2f4e-2f3b-4f69-9f0e-3f6e5c9f7a01", "77d1c1b2-88aa-4c55-b7c1-5a3f0e9d1c02"
LOST = {
    "id": ONE,
    "queue": "worker",
    "sent_at": NOW - 11_220_000,
    "receives": 5,
    "run_id": RUN_ID,
    "task_id": "B1",
    "reason": None,
}
ODD = {
    "id": TWO,
    "queue": "records",
    "sent_at": NOW - 42_000,
    "receives": 1,
    "run_id": None,
    "task_id": None,
    "reason": "Malformed: \x1b[31mno\x1b[0m key\n=HYPERLINK(1)",
}


def letters(*found: dict[str, Any], waiting: int | None = None) -> dict[str, Any]:
    count = len(found) if waiting is None else waiting
    return {"letters": list(found), "queues": [{"queue": "worker", "messages": count}]}


def redriven(*ids: str, refused: dict[str, str] | None = None) -> dict[str, Any]:
    found = [{"id": letter_id, "reason": reason} for letter_id, reason in (refused or {}).items()]
    return {"redriven": list(ids), "refused": found}


def test_list_is_a_table_with_the_reasons() -> None:
    called = call("dlq", "list", answers=[letters(LOST, ODD)])

    assert (called.exit_code, called.stderr) == (0, "")
    assert called.requests == [{"action": "dead_letters", "limit": 20}]
    assert called.stdout.splitlines() == [
        f"{'ID':<36}  QUEUE       AGE  RECEIVES  {'RUN':<26}  TASK",
        f"{ONE}  worker   3h 07m         5  {RUN_ID}  B1",
        f"{TWO}  records   42.0s         1",
        "  Malformed: no key =HYPERLINK(1)",
    ]


def test_list_json_is_the_answer() -> None:
    called = call("dlq", "list", "--limit", "1", "--json", answers=[letters(LOST)])

    assert (called.exit_code, called.document) == (0, letters(LOST))
    assert called.requests == [{"action": "dead_letters", "limit": 1}]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (letters(), "No dead letters."),
        (letters(waiting=3), "0 of about 3: another request looks at the others now"),
    ],
)
def test_an_empty_list_says_so(answer: dict[str, Any], said: str) -> None:
    called = call("dlq", "list", answers=[answer])

    assert (called.exit_code, called.stdout) == (0, said + "\n")


def test_a_list_that_is_not_whole_says_so() -> None:
    called = call("dlq", "list", "--limit", "1", answers=[letters(LOST, waiting=9)])

    assert called.stdout.splitlines()[-1] == "1 of about 9: a higher --limit shows more"


@pytest.mark.parametrize("limit", ["0", "101", "many"])
def test_a_limit_out_of_range_is_refused(limit: str) -> None:
    called = call("dlq", "list", "--limit", limit)

    assert (called.exit_code, called.requests) == (2, [])
    assert called.stderr.startswith("error: Invalid value for '--limit'")


def test_show_prints_the_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.commands.dlq.moment", lambda at: f"at {at}")
    answer = {"letter": {**LOST, "body": '{"run_id":"\\u001b[31mx","task_id":"B1"}'}}
    called = call("dlq", "show", ONE, "--stack", "dev", answers=[answer])

    assert (called.exit_code, called.stderr) == (0, "")
    assert called.requests == [{"action": "dead_letter", "id": ONE}]
    assert called.stdout.splitlines() == [
        f"id        {ONE}",
        "queue     worker",
        f"sent      at {NOW - 11_220_000}",
        "receives  5",
        f"run       {RUN_ID}",
        "task      B1",
        "reason    -",
        "",
        "{",
        '  "run_id": "\\u001b[31mx",',
        '  "task_id": "B1"',
        "}",
        "",
        f"Handle it once more: orchestra dlq redrive {ONE} --stack dev",
    ]
    assert call("dlq", "show", ONE, "--json", answers=[answer]).document == answer


@pytest.mark.parametrize(
    ("body", "shown"),
    [("{\x1b[2Jbroken\u202e\n<script>", "{broken\n<script>"), ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}')],
)
def test_a_body_that_is_not_json_is_shown_as_it_is_but_for_what_a_terminal_acts_on(body: str, shown: str) -> None:
    called = call("dlq", "show", TWO, answers=[{"letter": {**ODD, "body": body}}])

    assert called.stdout.split("\n\n")[1] == shown


def test_redrive_of_one() -> None:
    called = call("dlq", "redrive", ONE, answers=[redriven(ONE)])

    assert (called.exit_code, called.stderr) == (0, "")
    assert called.requests == [{"action": "redrive_dead_letters", "id": ONE}]
    assert called.stdout.splitlines() == ["Redriven 1 letter", f"  {ONE}"]


def test_redrive_of_all() -> None:
    called = call("dlq", "redrive", "--all", answers=[redriven(ONE, TWO)])

    assert called.requests == [{"action": "redrive_dead_letters", "all": True}]
    assert called.stdout.splitlines() == ["Redriven 2 letters", f"  {ONE}", f"  {TWO}"]
    assert call("dlq", "redrive", "--all", answers=[redriven()]).stdout == "No dead letters.\n"
    assert call("dlq", "redrive", "--all", "--json", answers=[redriven(ONE)]).document == redriven(ONE)


def test_what_is_refused_is_said_and_an_exit_code_of_1() -> None:
    answer = redriven(ONE, refused={TWO: "message: is \x1b[31mno\x1b[0m JSON"})
    called = call("dlq", "redrive", "--all", answers=[answer])

    assert (called.exit_code, called.stderr) == (1, "")
    assert called.stdout.splitlines() == [
        "Redriven 1 letter",
        f"  {ONE}",
        "Refused 1 letter; what is refused stays where it is",
        f"  {TWO}  message: is no JSON",
    ]
    called = call("dlq", "redrive", "--all", "--json", answers=[answer])
    assert (called.exit_code, called.document) == (1, answer)


@pytest.mark.parametrize("arguments", [(), (ONE, "--all")])
def test_redrive_is_of_one_or_of_all(arguments: tuple[str, ...]) -> None:
    called = call("dlq", "redrive", *arguments)

    assert (called.exit_code, called.requests) == (2, [])
    assert called.stderr == "error: ID: give the id of a letter, or --all\n"


def test_drop_prints_what_it_has_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.commands.dlq.moment", lambda at: f"at {at}")
    answer = {"letter": {**ODD, "body": "not\x1b[2J JSON"}}
    called = call("dlq", "drop", TWO, "--yes", "--stack", "dev", answers=[answer])

    assert (called.exit_code, called.stderr) == (0, "")
    assert called.choices == [Choice(stack="dev")]
    assert called.requests == [{"action": "drop_dead_letter", "id": TWO}]
    assert called.stdout.splitlines() == [
        "Dropped 1 letter",
        f"id        {TWO}",
        "queue     records",
        f"sent      at {NOW - 42_000}",
        "receives  1",
        "run       -",
        "task      -",
        "reason    Malformed: no key =HYPERLINK(1)",
        "",
        "not JSON",
    ]
    assert call("dlq", "drop", TWO, "-y", "--json", answers=[answer]).document == answer


def test_drop_asks_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    person = Mock(side_effect=[True, False])
    monkeypatch.setattr("cli.commands.dlq.confirmed", person)

    assert call("dlq", "drop", ONE, answers=[{"letter": {**LOST, "body": "{}"}}]).exit_code == 0
    refused = call("dlq", "drop", ONE)
    assert (refused.exit_code, refused.requests) == (2, [])
    assert (refused.stdout, refused.stderr) == ("", "error: not confirmed; nothing was dropped\n")
    assert person.mock_calls == [mock_call(f"Drop the letter {ONE}? It cannot be brought back")] * 2


def test_drop_without_a_terminal_has_to_be_told_that_it_may() -> None:
    called = call("dlq", "drop", ONE, stdin=b"y\n")

    message = "--yes: is required where there is no terminal to ask on; nothing was dropped"
    assert (called.exit_code, called.requests, called.stderr) == (2, [], f"error: {message}\n")
    assert call("dlq", "drop", ONE, "--json").document == {"error": {"code": "InvalidInput", "message": message}}


@pytest.mark.parametrize("verb", ["show", "redrive", "drop"])
@pytest.mark.parametrize("letter_id", ["", "x" * 65, "\x1b[31m", "é", "a\nb"])
def test_what_is_no_id_is_not_sent(verb: str, letter_id: str) -> None:
    called = call("dlq", verb, letter_id)

    assert (called.exit_code, called.requests) == (2, [])
    assert called.stderr.startswith("error: ID: ")
    assert called.stderr.endswith(" is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -\n")


@pytest.mark.parametrize("arguments", [("show", ONE), ("redrive", ONE), ("drop", ONE, "--yes")])
def test_a_letter_that_is_gone_is_one_line(arguments: tuple[str, ...]) -> None:
    answer = {"error": {"code": "NotFound", "message": "id: there is no such letter"}}
    called = call("dlq", *arguments, answers=[answer])

    assert (called.exit_code, called.stderr) == (2, "error: id: there is no such letter\n")


def test_without_a_verb_it_prints_its_help() -> None:
    called = call("dlq")

    assert (called.exit_code, called.requests) == (2, [])
    assert all(verb in called.stdout for verb in ("list", "show", "redrive", "drop"))
