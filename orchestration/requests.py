"""The Orchestrator's requests: what is asked, checked; what is answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from orchestration import payload, views
from orchestration.engine import Engine
from orchestration.errors import Conflict, InvalidRequest, NotFound
from orchestration.model import Run, RunStatus
from orchestration.payload import Json
from orchestration.workflow import Workflow, require_id, shown

MAX_PAGE = 100
DEFAULT_PAGE = 20
MAX_PAGES_READ = 10
"""How many pages one filtered list reads before it answers with what it has found, and a cursor to go on from."""
CURSOR = re.compile(r"[0-9]{13}#[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Requests:
    """Answers requests; each method is an action, and its keywords are the request's other fields."""

    engine: Engine
    services: frozenset[str]  # those that are deployed

    def answer(self, request: Json) -> dict[str, Json]:
        """Return the answer to a request. Raises Refused, with one line for the person who asked."""
        actions: Mapping[str, tuple[Callable[..., dict[str, Json]], set[str], set[str]]] = {
            "start": (self.start, {"workflow"}, {"input", "run_id"}),
            "register": (self.register, {"definition"}, set()),
            "describe": (self.describe, {"run_id"}, set()),
            "output": (self.output, {"run_id"}, {"task_id"}),
            "list": (self.list_runs, set(), {"workflow", "status", "limit", "cursor"}),
            "workflows": (self.workflows, set(), set()),
        }
        if not isinstance(request, dict) or not isinstance(request.get("action"), str):
            raise InvalidRequest(f"action: is missing; the actions are {', '.join(actions)}")
        fields = {name: value for name, value in request.items() if name != "action"}
        action = request["action"]
        if action not in actions:
            raise InvalidRequest(f"action: there is no {shown(action)}; the actions are {', '.join(actions)}")
        method, required, optional = actions[action]
        if missing := sorted(required - fields.keys()):
            raise InvalidRequest(f"{missing[0]}: is missing from the request {action!r}")
        if unknown := sorted(fields.keys() - required - optional):
            raise InvalidRequest(f"{shown(unknown[0])}: is not a field of the request {action!r}")
        return method(**fields)

    def start(self, *, workflow: Json, input: Json = None, run_id: Json = None) -> dict[str, Json]:  # noqa: A002
        require_id("workflow", workflow)
        if run_id is None:
            run_id = f"{workflow[:31]}-{self.engine.chance.token()}"
        require_id("run_id", run_id)
        text = payload.dump(input, what="input")
        definition = self.engine.catalog.current(workflow)
        self._require_services(definition)
        started = self.engine.start(definition, run_id, text)
        tasks = self.engine.store.get_tasks(run_id)
        return {"run": views.describe(started.run, started.workflow, tasks), "created": started.created}

    def register(self, *, definition: Json) -> dict[str, Json]:
        workflow = Workflow.from_json(definition)
        self._require_services(workflow)
        if self.engine.catalog.is_declared(workflow.name):
            raise Conflict(f"name: {workflow.name!r} is declared by the deployed program; register under another name")
        created = self.engine.catalog.register(workflow)
        return {"name": workflow.name, "version": workflow.version, "created": created}

    def describe(self, *, run_id: Json) -> dict[str, Json]:
        require_id("run_id", run_id)
        run = self.engine.store.get_run(run_id)
        if run is None:
            raise views.no_such_run(run_id)
        # The run is read first, so that a run that has ended is never shown with a task that has not.
        tasks = self.engine.store.get_tasks(run_id)
        return views.describe(run, self.engine.catalog.pinned(run.workflow, run.definition), tasks)

    def output(self, *, run_id: Json, task_id: Json = None) -> dict[str, Json]:
        require_id("run_id", run_id)
        if task_id is not None:
            require_id("task_id", task_id)
        return {"run_id": run_id, "output": views.output(self.engine.store, self.engine.catalog, run_id, task_id)}

    def list_runs(
        self, *, workflow: Json = None, status: Json = None, limit: Json = DEFAULT_PAGE, cursor: Json = None
    ) -> dict[str, Json]:
        if status is not None and status not in list(RunStatus):  # it may be anything, also what no set can hold
            raise InvalidRequest(f"status: must be one of {', '.join(RunStatus)}, not {shown(status)}")
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_PAGE:
            raise InvalidRequest(f"limit: must be a whole number from 1 to {MAX_PAGE}, not {shown(limit)}")
        if cursor is not None and (not isinstance(cursor, str) or not CURSOR.fullmatch(cursor)):
            raise InvalidRequest("cursor: is not one that a list has returned")
        names = [entry.name for entry in self.engine.catalog.entries()]
        if workflow is not None:
            require_id("workflow", workflow)
            if workflow not in names:
                raise NotFound(f"workflow: there is no {workflow!r}; there are {', '.join(names) or 'none'}")
            names = [workflow]
        runs, cursor = self._find(names, status, limit, cursor)
        return {"runs": [views.summary(run) for run in runs], "cursor": cursor}

    def workflows(self) -> dict[str, Json]:
        return {"workflows": [asdict(entry) for entry in self.engine.catalog.entries()]}

    def _find(
        self, names: Sequence[str], status: str | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Run], str | None]:
        """Return up to `limit` runs of several workflows, the newest first, and where to go on."""
        found: list[Run] = []
        for _ in range(MAX_PAGES_READ):
            page, cursor = self.engine.store.list_runs(names, limit, cursor)
            found += [run for run in page if status in {None, run.status}]
            if len(found) > limit:
                return found[:limit], found[limit - 1].position
            if cursor is None or len(found) == limit:
                break
        return found, cursor

    def _require_services(self, workflow: Workflow) -> None:
        if unknown := sorted(workflow.services - self.services):
            known = ", ".join(sorted(self.services)) or "none"
            raise InvalidRequest(f"service: {unknown[0]!r} is not deployed; the services are {known}")
