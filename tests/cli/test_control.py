"""`orchestra cancel` and `redrive`: what they send, print and exit with."""

from __future__ import annotations

from typing import Any

import pytest

from cli.deployment import Choice
from cli.errors import RemoteError
from tests.cli.fake import ALL_DONE, NOW, RUN_ID, abc, call, described, document, done

CANCEL = {"action": "cancel", "run_id": RUN_ID}
REDRIVE = {"action": "redrive", "run_id": RUN_ID, "epoch": 1}
DESCRIBE = {"action": "describe", "run_id": RUN_ID}
OUTPUT = {"action": "output", "run_id": RUN_ID}
FAILED = described("FAILED", error={"name": "Boom", "message": "bang", "task": "A"}, epoch=1)
AT_WORK = abc(
    A=done(100, 200),
    B1={"status": "RUNNING", "attempts": 1, "started_at": NOW + 400},
    **{t: {"status": "CANCELED", "finished_at": NOW + 600} for t in ("B2", "B3", "C")},
)
CANCELING = described("CANCELING", tasks=AT_WORK)
CANCELED = described("CANCELED", tasks={**AT_WORK, "B1": {**AT_WORK["B1"], **done(400, 1200)}})
ENDED = described("SUCCEEDED", tasks=ALL_DONE, epoch=2)
THROTTLED = RemoteError("AWS throttles", passing=True)


def asked(run: dict[str, Any]) -> dict[str, Any]:
    """Return the Orchestrator's answer to a cancel or a redrive."""
    summary = ("run_id", "workflow", "engine", "status", "error", "started_at", "finished_at")
    return {"run": {key: run[key] for key in summary}}


# cancel


def test_cancel_follows_until_the_run_is_canceled() -> None:
    called = call("cancel", RUN_ID, answers=[asked(CANCELING), CANCELING, CANCELING, CANCELED])

    assert (called.exit_code, called.stderr) == (0, "")
    assert called.requests == [CANCEL, DESCRIBE, DESCRIBE, DESCRIBE]
    assert called.stdout.splitlines() == [
        "    +0ms  ⊘ abc-20261123-223100-x7k2q9  CANCELING",
        "  +300ms  ✓ A  SUCCEEDED  200ms",
        "  +400ms  ● B1  RUNNING",
        "  +600ms  ⊘ B2  CANCELED",
        "  +600ms  ⊘ B3  CANCELED",
        "  +600ms  ⊘ C  CANCELED",
        "   +1.6s  ✓ B1  SUCCEEDED  1.2s",
        "   +2.3s  ⊘ abc-20261123-223100-x7k2q9  CANCELED",
        "⊘ CANCELED  2 of 5 tasks  2.3s",
    ]


def test_cancel_json_is_the_document_of_run() -> None:
    called = call("cancel", RUN_ID, "--json", answers=[asked(CANCELING), CANCELING, CANCELED])

    assert (called.exit_code, called.stderr, called.document) == (0, "", document(CANCELED, None))


def test_a_run_that_is_canceled_already_is_a_success() -> None:
    called = call("cancel", RUN_ID, answers=[asked(CANCELED), CANCELED])

    assert (called.exit_code, called.stderr, called.requests) == (0, "", [CANCEL, DESCRIBE])
    assert called.stdout.splitlines()[-1] == "⊘ CANCELED  2 of 5 tasks  2.3s"


@pytest.mark.parametrize(
    ("run", "said", "then"),
    [
        (CANCELING, "Canceling", "Follow it: orchestra status abc-20261123-223100-x7k2q9 --follow --stack dev"),
        (CANCELED, "Canceled", "See it: orchestra status abc-20261123-223100-x7k2q9 --stack dev"),
    ],
)
def test_cancel_without_waiting_says_how_to_go_on(run: dict[str, Any], said: str, then: str) -> None:
    arguments = ("cancel", RUN_ID, "--no-wait", "--stack", "dev")
    called = call(*arguments, answers=[asked(run), run])

    assert (called.exit_code, called.requests) == (0, [CANCEL, DESCRIBE])
    assert called.choices == [Choice(stack="dev")]
    assert called.stdout.splitlines() == [
        f"{said} abc-20261123-223100-x7k2q9",
        then,
    ]
    called = call(*arguments, "--json", answers=[asked(run), run])
    assert (called.exit_code, called.document) == (0, document(run, None))


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("SUCCEEDED", f"run {RUN_ID} has SUCCEEDED already; its output: orchestra output {RUN_ID} --stack dev"),
        ("FAILED", f"run {RUN_ID} has FAILED already; to let it go on: orchestra redrive {RUN_ID} --stack dev"),
    ],
)
@pytest.mark.parametrize("flags", [(), ("--no-wait",)])
def test_a_run_that_has_ended_otherwise_is_one_line(status: str, message: str, flags: tuple[str, ...]) -> None:
    arguments = ("cancel", RUN_ID, "--stack", "dev", *flags)
    answers = [asked(described(status)), described(status)]
    called = call(*arguments, answers=answers)

    assert (called.exit_code, called.stdout, called.stderr) == (1, "", f"error: {message}\n")
    called = call(*arguments, "--json", answers=answers)
    assert (called.exit_code, called.document) == (1, {"error": {"code": "Ended", "message": message}})


def test_a_run_that_is_failing_is_followed_to_where_it_ends() -> None:
    failed = described("FAILED", error={"name": "Boom", "message": "bang", "task": "A"})
    called = call("cancel", RUN_ID, answers=[asked(described("FAILING")), described("FAILING"), failed])

    assert called.exit_code == 1
    assert called.stderr == f"note: run {RUN_ID} is FAILING already; it ends when the tasks that run have ended\n"
    assert "✗ A failed: Boom: bang" in called.stdout.splitlines()


# redrive


def test_redrive_follows_as_run_does() -> None:
    again = described(tasks=abc(A=done(100, 200)), epoch=2)
    output = {"run_id": RUN_ID, "output": {"n": 1}}
    called = call("redrive", RUN_ID, answers=[FAILED, asked(again), again, ENDED, output])

    assert (called.exit_code, called.stderr) == (0, "")
    assert called.requests == [DESCRIBE, REDRIVE, DESCRIBE, DESCRIBE, OUTPUT]
    assert called.stdout.splitlines()[:2] == [
        "    +0ms  ● abc-20261123-223100-x7k2q9  RUNNING",
        "  +300ms  ✓ A  SUCCEEDED  200ms",
    ]
    assert called.stdout.splitlines()[-5:] == ["", "Output", "{", '  "n": 1', "}"]


def test_redrive_from_a_task_json() -> None:
    answers = [FAILED, asked(described()), described(), ENDED, {"run_id": RUN_ID, "output": 1}]
    called = call("redrive", RUN_ID, "--from", "B1", "--json", answers=answers)

    assert (called.exit_code, called.document) == (0, document(ENDED, 1))
    assert called.requests[1] == {**REDRIVE, "from_task": "B1"}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("from_task: 'B2' has FAILED too", "--from: 'B2' has FAILED too"),
        ("run_id: 'x' is from_task: y", "run_id: 'x' is from_task: y"),
    ],
)
def test_a_refusal_names_the_option_and_not_the_field(message: str, told: str) -> None:
    refusal = {"error": {"code": "Conflict", "message": message}}
    called = call("redrive", RUN_ID, "--from", "B1", "--json", answers=[FAILED, refusal])

    assert (called.exit_code, called.stderr) == (2, f"error: {told}\n")
    assert called.document == {"error": {"code": "Conflict", "message": told}}


def test_redrive_names_the_epoch_that_it_goes_on_from() -> None:
    """So that a repeated request does not redrive a run that has failed again meanwhile."""
    ended = {**FAILED, "epoch": 3}
    called = call("redrive", RUN_ID, answers=[FAILED, {**asked(ended), "changed": False}, ended])

    assert (called.exit_code, called.requests) == (1, [DESCRIBE, REDRIVE, DESCRIBE])
    assert called.stderr == f"note: run {RUN_ID} was redriven already\n"
    assert "✗ A failed: Boom: bang" in called.stdout.splitlines()


def test_redrive_by_an_older_orchestrator_names_no_epoch() -> None:
    called = call("redrive", RUN_ID, "--no-wait", answers=[described(), asked(described()), described()])

    assert (called.exit_code, called.requests[1]) == (0, {"action": "redrive", "run_id": RUN_ID})


def test_a_redriven_run_that_fails_again_exits_with_1() -> None:
    failed = described("FAILED", error={"name": "Boom", "message": "bang", "task": "A"}, epoch=2)
    called = call("redrive", RUN_ID, answers=[FAILED, asked(described()), described(), failed])

    assert called.exit_code == 1
    assert called.stdout.splitlines()[-2] == "✗ A failed: Boom: bang"


def test_a_run_that_was_redriven_already_is_followed_and_said_to_be() -> None:
    again = {**asked(described(epoch=2)), "changed": False}
    called = call("redrive", RUN_ID, "--no-wait", answers=[described(epoch=2), again, described(epoch=2)])

    assert (called.exit_code, called.stderr) == (0, f"note: run {RUN_ID} was redriven already\n")


def test_redrive_without_waiting_says_how_to_follow() -> None:
    called = call("redrive", RUN_ID, "--no-wait", answers=[FAILED, asked(described()), described()])

    assert called.exit_code == 0
    assert called.stdout.splitlines() == [
        "Redriven abc-20261123-223100-x7k2q9",
        "Follow it: orchestra status abc-20261123-223100-x7k2q9 --follow",
    ]


# both


@pytest.mark.parametrize(("verb", "before"), [("cancel", []), ("redrive", []), ("redrive", [FAILED])])
@pytest.mark.parametrize(
    ("refusal", "message"),
    [("NotFound", "run_id: there is no run 'x'"), ("Conflict", "run_id: 'x' is \x1b[31mSUCCEEDED\x1b[0m")],
)
def test_what_is_refused_is_one_line_and_an_exit_code_of_2(
    verb: str, before: list[Any], refusal: str, message: str
) -> None:
    called = call(verb, "x", "--json", answers=[*before, {"error": {"code": refusal, "message": message}}])

    told = message.replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert (called.exit_code, called.stderr) == (2, f"error: {told}\n")
    assert called.document == {"error": {"code": refusal, "message": told}}


@pytest.mark.parametrize(
    ("verb", "before", "outcome"),
    [("cancel", [], "may have been canceled"), ("redrive", [FAILED], "may have been redriven")],
)
@pytest.mark.parametrize(
    ("fault", "code", "said"), [(KeyboardInterrupt(), 130, "interrupted"), (THROTTLED, 1, "AWS throttles")]
)
@pytest.mark.parametrize("answered", [True, False])
def test_an_answer_that_was_not_seen(
    verb: str, before: list[Any], outcome: str, fault: BaseException, code: int, said: str, *, answered: bool
) -> None:
    called = call(verb, RUN_ID, answers=[*before, *([asked(described())] if answered else []), fault])

    assert called.exit_code == code
    assert called.stderr == f"error: {said}; run {RUN_ID} {outcome}, see: orchestra status {RUN_ID}\n"


@pytest.mark.parametrize(
    ("verb", "before", "run", "goes_on"),
    [("cancel", [], CANCELING, "is being canceled"), ("redrive", [FAILED], described(), "goes on")],
)
def test_ctrl_c_while_following_says_what_goes_on(
    verb: str, before: list[Any], run: dict[str, Any], goes_on: str
) -> None:
    called = call(verb, RUN_ID, answers=[*before, asked(run), run, KeyboardInterrupt()])

    assert called.exit_code == 130
    assert called.stderr == (
        f"error: interrupted; run {RUN_ID} {goes_on}, pick it up again with: orchestra status {RUN_ID} --follow\n"
    )


@pytest.mark.parametrize(
    ("fault", "code", "said"), [(KeyboardInterrupt(), 130, "interrupted"), (THROTTLED, 1, "AWS throttles")]
)
def test_before_it_has_asked_for_a_redrive_nothing_may_have_happened(
    fault: BaseException, code: int, said: str
) -> None:
    called = call("redrive", RUN_ID, answers=[fault])

    assert (called.exit_code, called.stderr) == (code, f"error: {said}\n")
