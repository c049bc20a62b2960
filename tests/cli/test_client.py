from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cli.client import Client
from cli.errors import CliError, Refused, RemoteError
from tests.cli.fake import RUN_ID, described

LIST: dict[str, Any] = {"runs": [], "cursor": None}
PAGE: dict[str, Any] = {"checked": 1, "violations": [], "cursor": None}


@pytest.mark.parametrize(
    ("ask", "request_", "answer"),
    [
        (
            lambda c: c.start("abc", {"text": "é"}, RUN_ID),
            {"action": "start", "workflow": "abc", "input": {"text": "é"}, "run_id": RUN_ID},
            {"run": described(), "created": True},
        ),
        (
            lambda c: c.register({"name": "w"}),
            {"action": "register", "definition": {"name": "w"}},
            {"name": "w", "version": "v", "created": True},
        ),
        (lambda c: c.describe(RUN_ID), {"action": "describe", "run_id": RUN_ID}, described(error={"name": "Boom"})),
        (lambda c: c.output(RUN_ID), {"action": "output", "run_id": RUN_ID}, {"run_id": RUN_ID, "output": None}),
        (
            lambda c: c.output(RUN_ID, "A"),
            {"action": "output", "run_id": RUN_ID, "task_id": "A"},
            {"run_id": RUN_ID, "output": 1},
        ),
        (
            lambda c: c.list_runs(workflow=None, status=None, limit=20, cursor=None),
            {"action": "list", "limit": 20},
            LIST,
        ),
        (
            lambda c: c.list_runs(workflow="abc", status="FAILED", limit=1, cursor="x"),
            {"action": "list", "limit": 1, "workflow": "abc", "status": "FAILED", "cursor": "x"},
            LIST,
        ),
        (lambda c: c.workflows(), {"action": "workflows"}, {"workflows": []}),
        (lambda c: c.cancel(RUN_ID), {"action": "cancel", "run_id": RUN_ID}, {"run": described()}),
        (lambda c: c.redrive(RUN_ID), {"action": "redrive", "run_id": RUN_ID}, {"run": described()}),
        (
            lambda c: c.redrive(RUN_ID, "B2"),
            {"action": "redrive", "run_id": RUN_ID, "from_task": "B2"},
            {"run": described()},
        ),
        (
            lambda c: c.redrive(RUN_ID, epoch=3),
            {"action": "redrive", "run_id": RUN_ID, "epoch": 3},
            {"run": described()},
        ),
        (lambda c: c.verify(), {"action": "verify"}, PAGE),
        (
            lambda c: c.verify(run_id=RUN_ID, cursor="x", limit=5),
            {"action": "verify", "run_id": RUN_ID, "cursor": "x", "limit": 5},
            PAGE,
        ),
        (lambda c: c.dead_letters(5), {"action": "dead_letters", "limit": 5}, {"letters": [], "queues": []}),
        (lambda c: c.dead_letter("m-1"), {"action": "dead_letter", "id": "m-1"}, {"letter": {"id": "m-1"}}),
        (
            lambda c: c.redrive_dead_letters("m-1"),
            {"action": "redrive_dead_letters", "id": "m-1"},
            {"redriven": ["m-1"], "refused": []},
        ),
        (
            lambda c: c.redrive_dead_letters(),
            {"action": "redrive_dead_letters", "all": True},
            {"redriven": [], "refused": []},
        ),
        (lambda c: c.drop_dead_letter("m-1"), {"action": "drop_dead_letter", "id": "m-1"}, {"letter": {"id": "m-1"}}),
    ],
)
def test_each_request_is_the_contracts(ask: Callable[[Client], Any], request_: Any, answer: Any) -> None:
    sent: list[Any] = []

    def send(request: Any) -> Any:
        sent.append(request)
        return answer

    assert ask(Client(send)) == answer
    assert sent == [request_]


@pytest.mark.parametrize(
    ("answer", "kind", "code", "message"),
    [
        ({"error": {"code": "NotFound", "message": "no run x"}}, Refused, "NotFound", "no run x"),
        ({"error": {"code": "Conflict", "message": "taken"}}, Refused, "Conflict", "taken"),
        ({"error": {}}, Refused, "InvalidRequest", "no reason given"),
        ({"error": "odd"}, Refused, "InvalidRequest", "odd"),
    ],
)
def test_a_refusal_keeps_its_code_and_line(answer: Any, kind: type[CliError], code: str, message: str) -> None:
    with pytest.raises(kind) as refused:
        Client(lambda _request: answer).describe("x")
    assert (refused.value.code, str(refused.value), refused.value.exit_code) == (code, message, 2)


@pytest.mark.parametrize("answer", [None, [], "hello", {}, {"batchItemFailures": []}])
def test_an_answer_of_something_else_is_said_to_be_one(answer: Any) -> None:
    with pytest.raises(RemoteError, match="the answer to 'workflows' is not the Orchestrator's"):
        Client(lambda _request: answer).workflows()
