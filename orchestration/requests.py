"""The Orchestrator's requests: what is asked, checked; what is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TypeVar

from orchestration import executions, invariants, model, payload, runs, views
from orchestration.catalog import Entry
from orchestration.dead_letters import DeadLetters
from orchestration.engine import Asked, Engine
from orchestration.errors import Conflict, InvalidRequest, NoSuchRun, NotFound, OrchestraError, Refused
from orchestration.letter_requests import LetterRequests
from orchestration.machines import Machines
from orchestration.model import Run, RunStatus
from orchestration.pages import DEFAULT_PAGE, require_page
from orchestration.payload import Json
from orchestration.runs import Runs, TableRuns
from orchestration.store import Page
from orchestration.workflow import Workflow, require_id, shown

T = TypeVar("T")

MAX_PAGES_READ = 10
"""How many pages one filtered list reads before it answers with what it has found, and a cursor to go on from."""
UNREADABLE = "unreadable"
"""What `verify` calls a run that it could not check: a newer release has written it, or a part of it is missing."""


@dataclass(frozen=True)
class Requests:
    """Answers requests; each method is an action, and its keywords are the request's other fields.

    A request about a run may say which engine it is of. One that does not is asked of each in turn.
    """

    engine: Engine
    services: frozenset[str]  # those that are deployed
    letters: DeadLetters
    flows: Runs  # those of Step Functions
    machines: Machines
    ended: Callable[[Run], None]  # is told of each run that a request has brought to its end
    sweep: Callable[[], object]  # looks at every run that is due

    @cached_property
    def runs(self) -> Mapping[str, Runs]:
        """The runs of each engine, that first which is meant by a start that names none."""
        return {model.ENGINE: TableRuns(self.engine), executions.ENGINE: self.flows}

    def answer(self, request: Json) -> dict[str, Json]:
        """Return the answer to a request. Raises Refused, with one line for the person who asked."""
        letters = LetterRequests(self.engine, self.letters, self.ended, self.sweep)
        actions: Mapping[str, tuple[Callable[..., dict[str, Json]], set[str], set[str]]] = {
            "start": (self.start, {"workflow"}, {"input", "run_id", "engine"}),
            "register": (self.register, {"definition"}, {"engine"}),
            "describe": (self.describe, {"run_id"}, {"engine"}),
            "output": (self.output, {"run_id"}, {"task_id", "engine"}),
            "list": (self.list_runs, set(), {"workflow", "status", "limit", "cursor", "engine"}),
            "workflows": (self.workflows, set(), set()),
            "asl": (self.asl, set(), {"workflow", "definition"}),
            "cancel": (self.cancel, {"run_id"}, {"engine"}),
            "redrive": (self.redrive, {"run_id"}, {"from_task", "epoch", "engine"}),
            "verify": (self.verify, set(), {"run_id", "limit", "cursor"}),
            "dead_letters": (letters.dead_letters, set(), {"limit"}),
            "dead_letter": (letters.dead_letter, {"id"}, set()),
            "redrive_dead_letters": (letters.redrive_dead_letters, set(), {"id", "all"}),
            "drop_dead_letter": (letters.drop_dead_letter, {"id"}, set()),
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

    def start(
        self,
        *,
        workflow: Json,
        input: Json = None,  # noqa: A002
        run_id: Json = None,
        engine: Json = model.ENGINE,
    ) -> dict[str, Json]:
        require_id("workflow", workflow)
        if run_id is None:
            run_id = f"{workflow[:31]}-{self.engine.chance.token()}"
        require_id("run_id", run_id)
        text = payload.dump(input, what="input")
        (chosen,) = self._chosen(engine)
        seen = chosen.start(self._to_start(chosen, workflow, run_id), run_id, text)
        run = views.describe(seen.run, seen.workflow, seen.tasks)
        if seen.log_group is not None:
            run["log_group"] = seen.log_group
        return {"run": run, "created": seen.created}

    def register(self, *, definition: Json, engine: Json = model.ENGINE) -> dict[str, Json]:
        self._chosen(engine)
        workflow = self._defined(definition)
        if self.engine.catalog.is_declared(workflow.name):
            raise Conflict(f"name: {workflow.name!r} is declared by the deployed program; register under another name")
        if engine == executions.ENGINE:
            return self.machines.register(workflow)
        created = self.engine.catalog.register(workflow)
        return {"name": workflow.name, "version": workflow.version, "created": created}

    def asl(self, *, workflow: Json = None, definition: Json = None) -> dict[str, Json]:
        if (workflow is None) == (definition is None):
            raise InvalidRequest('workflow: give the name of a workflow, or a definition as "definition"')
        if workflow is None:
            return self.machines.show(self._defined(definition))
        require_id("workflow", workflow)
        current = self.engine.catalog.current(workflow)
        self._require_services(current)
        return self.machines.show(current)

    def describe(self, *, run_id: Json, engine: Json = None) -> dict[str, Json]:
        require_id("run_id", run_id)
        seen = self._ask(engine, lambda its: its.look(run_id))
        return views.describe(seen.run, seen.workflow, seen.tasks)

    def output(self, *, run_id: Json, task_id: Json = None, engine: Json = None) -> dict[str, Json]:
        require_id("run_id", run_id)
        if task_id is not None:
            require_id("task_id", task_id)
        return {"run_id": run_id, "output": self._ask(engine, lambda its: its.output(run_id, task_id))}

    def list_runs(
        self,
        *,
        workflow: Json = None,
        status: Json = None,
        limit: Json = DEFAULT_PAGE,
        cursor: Json = None,
        engine: Json = None,
    ) -> dict[str, Json]:
        if status is not None and status not in list(RunStatus):  # it may be anything, also what no set can hold
            raise InvalidRequest(f"status: must be one of {', '.join(RunStatus)}, not {shown(status)}")
        require_page(limit, cursor)
        chosen = self._chosen(engine)
        names = [entry.name for entry in self.engine.catalog.entries()]
        if workflow is not None:
            require_id("workflow", workflow)
            if workflow not in names:
                raise NotFound(f"workflow: there is no {workflow!r}; there are {views.some(names) or 'none'}")
            names = [workflow]
        page = _find(chosen, names, status, limit, cursor)
        return {"runs": [views.summary(run) for run in page.runs], "cursor": page.cursor}

    def workflows(self) -> dict[str, Json]:
        return {
            "workflows": [self._shown(entry) for entry in self.engine.catalog.entries()],
            "unrecorded": [engine for engine, its in self.runs.items() if not its.recorded],
        }

    def cancel(self, *, run_id: Json, engine: Json = None) -> dict[str, Json]:
        require_id("run_id", run_id)
        return self._asked(self._ask(engine, lambda its: its.cancel(run_id)))

    def redrive(
        self, *, run_id: Json, from_task: Json = None, epoch: Json = None, engine: Json = None
    ) -> dict[str, Json]:
        """`epoch` is the one that the caller has seen: it changes nothing in a later one, so it may be repeated."""
        require_id("run_id", run_id)
        if from_task is not None:
            require_id("from_task", from_task)
        if epoch is not None and (not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1):
            raise InvalidRequest(f"epoch: must be a whole number from 1 on, not {shown(epoch)}")
        return self._asked(self._ask(engine, lambda its: its.redrive(run_id, from_task, epoch)))

    def verify(self, *, run_id: Json = None, limit: Json = DEFAULT_PAGE, cursor: Json = None) -> dict[str, Json]:
        require_page(limit, cursor)
        if run_id is None:
            names = [entry.name for entry in self.engine.catalog.entries()]
            page = _find(self._chosen(model.ENGINE), names, None, limit, cursor)
        else:
            require_id("run_id", run_id)
            page = self._page_of(run_id)
        unreadable = [_unreadable(name, why) for name, why in page.unreadable.items()]
        found = [violation for run in page.runs for violation in self._violations(run)]
        checked = len(page.runs) + len(unreadable)
        return {"checked": checked, "violations": [*unreadable, *found], "cursor": page.cursor}

    def _page_of(self, run_id: str) -> Page:
        try:
            run = self.engine.store.get_run(run_id)
        except OrchestraError as exc:
            return Page([], unreadable={run_id: str(exc)})
        if run is None:
            self.flows.look(run_id)
            raise InvalidRequest(
                f"run_id: {run_id!r} is a run of the engine {executions.ENGINE!r}, whose records are Step Functions'"
                f" own; only runs of {model.ENGINE!r} can be verified"
            )
        return Page([run])

    def _chosen(self, engine: Json) -> list[Runs]:
        """Return the runs of the engine that a request names, or those of all."""
        if engine is None:
            return list(self.runs.values())
        if engine not in list(self.runs):
            raise InvalidRequest(f"engine: must be one of {', '.join(self.runs)}, not {shown(engine)}")
        return [self.runs[engine]]

    def _ask(self, engine: Json, ask: Callable[[Runs], T]) -> T:
        """Return the answer of the engine that has the run. Raises NoSuchRun."""
        *others, last = self._chosen(engine)
        for chosen in others:
            try:
                return ask(chosen)
            except NoSuchRun:
                continue
        return ask(last)

    def _to_start(self, chosen: Runs, workflow: str, run_id: str) -> Workflow:
        """Return the version that a run gets. That of a run which there is already need not be startable any more."""
        try:
            definition = self.engine.catalog.current(workflow)
            self._require_services(definition)
        except Refused:
            pinned = chosen.pinned(workflow, run_id)
            if pinned is None:
                raise
            return pinned
        return definition

    def _defined(self, definition: Json) -> Workflow:
        workflow = Workflow.from_json(definition)
        self._require_services(workflow)
        return workflow

    def _shown(self, entry: Entry) -> Json:
        return {
            "name": entry.name,
            "version": entry.version,
            "tasks": entry.tasks,
            "source": entry.source,
            "engines": [engine for engine, its in self.runs.items() if its.runs_of(entry)],
        }

    def _asked(self, asked: Asked) -> dict[str, Json]:
        if asked.ended:
            self.ended(asked.run)
        return {"run": views.summary(asked.run), "changed": asked.changed}

    def _violations(self, run: Run) -> list[Json]:
        """Return what is wrong with a run, as two looks find it: one that moves may look wrong between two reads."""
        first = self._look(run)
        second = self._look(self.engine.store.get_run(run.run_id)) if first else []
        return [{"run_id": run.run_id, **asdict(violation)} for violation in first if violation in second]

    def _look(self, run: Run | None) -> Sequence[invariants.Violation]:
        if run is None:
            return []  # it has been deleted
        try:
            workflow = self.engine.catalog.pinned(run.workflow, run.definition)
            tasks = self.engine.store.get_tasks(run.run_id)
        except OrchestraError as exc:
            return [invariants.Violation(UNREADABLE, "run", str(exc))]
        return invariants.check_now(run, tasks, workflow, self.engine.clock.now(), self.engine.timing)

    def _require_services(self, workflow: Workflow) -> None:
        if unknown := sorted(workflow.services - self.services):
            known = ", ".join(sorted(self.services)) or "none"
            raise InvalidRequest(f"service: {unknown[0]!r} is not deployed; the services are {known}")


def _unreadable(run_id: str, why: str) -> Json:
    return {"run_id": run_id, **asdict(invariants.Violation(UNREADABLE, "run", why))}


def _find(chosen: Sequence[Runs], names: Sequence[str], status: str | None, limit: int, cursor: str | None) -> Page:
    """Return up to `limit` runs of several workflows, the newest first, and where to go on."""
    found: list[Run] = []
    unreadable: dict[str, str] = {}
    for _ in range(MAX_PAGES_READ):
        page = runs.merge([each.list_runs(names, limit, cursor) for each in chosen])
        cursor = page.cursor
        unreadable |= page.unreadable
        found += [run for run in page.runs if status in {None, run.status}]
        if len(found) > limit:
            return Page(found[:limit], found[limit - 1].position, unreadable)
        if cursor is None or len(found) == limit:
            break
    return Page(found, cursor, unreadable)
