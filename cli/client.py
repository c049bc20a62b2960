"""The Orchestrator's requests, one method each. How a request travels is the port `Send`.

Every request may be sent twice without harm: a start carries its run id, a definition is named by its content, a
redrive names the epoch that it goes on from, a run that is canceled already is left as it is, a letter leaves its queue
once, and the others only read. So the transport may repeat what was lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cli.errors import Refused, RemoteError
from orchestration.payload import Json

Request = dict[str, Json]
Response = dict[str, Any]
Send = Callable[[Request], Json]
"""Delivers a request and returns the response's JSON value. Raises RemoteError."""


@dataclass(frozen=True)
class Client:
    send: Send
    local: bool = False  # it is the emulator on this machine

    def start(self, workflow: str, run_input: Json, run_id: str, engine: str | None = None) -> Response:
        request: Request = {"action": "start", "workflow": workflow, "input": run_input, "run_id": run_id}
        return self._ask(request | _given(engine=engine), "run", "created")

    def register(self, definition: Json, engine: str | None = None) -> Response:
        request: Request = {"action": "register", "definition": definition}
        return self._ask(request | _given(engine=engine), "name", "version", "created")

    def describe(self, run_id: str, engine: str | None = None) -> Response:
        request: Request = {"action": "describe", "run_id": run_id}
        return self._ask(request | _given(engine=engine), "run_id", "status", "tasks")

    def output(self, run_id: str, task_id: str | None = None, engine: str | None = None) -> Response:
        request: Request = {"action": "output", "run_id": run_id}
        return self._ask(request | _given(task_id=task_id, engine=engine), "run_id", "output")

    def list_runs(
        self,
        *,
        workflow: str | None,
        status: str | None,
        limit: int,
        cursor: str | None,
        engine: str | None = None,
    ) -> Response:
        request: Request = {"action": "list", "limit": limit}
        chosen = _given(workflow=workflow, status=status, cursor=cursor, engine=engine)
        return self._ask(request | chosen, "runs", "cursor")

    def workflows(self) -> Response:
        return self._ask({"action": "workflows"}, "workflows")

    def asl(self, workflow: str) -> Response:
        """Return the state machine of a workflow, as it is compiled now."""
        return self._ask({"action": "asl", "workflow": workflow}, "definition", "transitions", "barriers", "notes")

    def cancel(self, run_id: str, engine: str | None = None) -> Response:
        return self._ask({"action": "cancel", "run_id": run_id} | _given(engine=engine), "run")

    def redrive(
        self, run_id: str, from_task: str | None = None, epoch: int | None = None, engine: str | None = None
    ) -> Response:
        request: Request = {"action": "redrive", "run_id": run_id}
        return self._ask(request | _given(from_task=from_task, epoch=epoch, engine=engine), "run")

    def verify(self, *, run_id: str | None = None, cursor: str | None = None, limit: int | None = None) -> Response:
        """Check one run, or a page of all."""
        request: Request = {"action": "verify", **_given(run_id=run_id, cursor=cursor, limit=limit)}
        return self._ask(request, "checked", "violations", "cursor")

    def dead_letters(self, limit: int) -> Response:
        return self._ask({"action": "dead_letters", "limit": limit}, "letters", "queues")

    def dead_letter(self, letter_id: str) -> Response:
        return self._ask({"action": "dead_letter", "id": letter_id}, "letter")

    def redrive_dead_letters(self, letter_id: str | None = None) -> Response:
        """Handle one letter once more; None: all of them."""
        request: Request = {"action": "redrive_dead_letters"}
        return self._ask(request | ({"all": True} if letter_id is None else {"id": letter_id}), "redriven", "refused")

    def drop_dead_letter(self, letter_id: str) -> Response:
        return self._ask({"action": "drop_dead_letter", "id": letter_id}, "letter")

    def _ask(self, request: Request, *keys: str) -> Response:
        """Return the response, having checked that it is one. Raises Refused or RemoteError."""
        response = self.send(request)
        if isinstance(response, dict):
            if response.keys() == {"error"}:
                raise _refusal(response["error"])
            if all(key in response for key in keys):
                return response
        raise RemoteError(
            f"the answer to {request['action']!r} is not the Orchestrator's; "
            "check that the ARN is that of Orchestra's Orchestrator, and that both have the same version"
        )


def _given(**fields: Json) -> Request:
    """Return the fields that are not left to the Orchestrator."""
    return {name: value for name, value in fields.items() if value is not None}


def _refusal(error: Json) -> Refused:
    if not isinstance(error, dict):
        error = {"message": error}
    return Refused(str(error.get("code", "InvalidRequest")), str(error.get("message", "no reason given")))
