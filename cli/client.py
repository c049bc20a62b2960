"""The Orchestrator's requests, one method each. How a request travels is the port `Send`.

Every request may be sent twice without harm: a start carries its run id, a definition is named by its content, and
the others only read. So the transport may repeat what was lost.
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

    def start(self, workflow: str, run_input: Json, run_id: str) -> Response:
        return self._ask(
            {"action": "start", "workflow": workflow, "input": run_input, "run_id": run_id}, "run", "created"
        )

    def register(self, definition: Json) -> Response:
        return self._ask({"action": "register", "definition": definition}, "name", "version", "created")

    def describe(self, run_id: str) -> Response:
        return self._ask({"action": "describe", "run_id": run_id}, "run_id", "status", "tasks")

    def output(self, run_id: str, task_id: str | None = None) -> Response:
        request: Request = {"action": "output", "run_id": run_id}
        if task_id is not None:
            request["task_id"] = task_id
        return self._ask(request, "run_id", "output")

    def list_runs(self, *, workflow: str | None, status: str | None, limit: int, cursor: str | None) -> Response:
        chosen = {"workflow": workflow, "status": status, "cursor": cursor}
        request: Request = {"action": "list", "limit": limit}
        return self._ask(request | {k: v for k, v in chosen.items() if v is not None}, "runs", "cursor")

    def workflows(self) -> Response:
        return self._ask({"action": "workflows"}, "workflows")

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


def _refusal(error: Json) -> Refused:
    if not isinstance(error, dict):
        error = {"message": error}
    return Refused(str(error.get("code", "InvalidRequest")), str(error.get("message", "no reason given")))
