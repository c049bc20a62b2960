"""The Orchestrator's requests: what is asked, checked; what is answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from orchestration import dead_letters, failures, invariants, payload, views
from orchestration.dead_letters import DeadLetters, Letter, Record
from orchestration.engine import Asked, Engine
from orchestration.errors import Conflict, InvalidRequest, NotFound, OrchestraError, Refused
from orchestration.model import Run, RunStatus
from orchestration.payload import Json
from orchestration.queue import Message
from orchestration.store import Page
from orchestration.workflow import Workflow, require_id, shown

MAX_PAGE = 100
DEFAULT_PAGE = 20
MAX_PAGES_READ = 10
"""How many pages one filtered list reads before it answers with what it has found, and a cursor to go on from."""
UNREADABLE = "unreadable"
"""What `verify` calls a run that it could not check: a newer release has written it, or a part of it is missing."""
CURSOR = re.compile(r"[0-9]{13}#[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Requests:
    """Answers requests; each method is an action, and its keywords are the request's other fields."""

    engine: Engine
    services: frozenset[str]  # those that are deployed
    letters: DeadLetters
    ended: Callable[[Run], None]  # is told of each run that a request has brought to its end
    sweep: Callable[[], object]  # looks at every run that is due

    def answer(self, request: Json) -> dict[str, Json]:
        """Return the answer to a request. Raises Refused, with one line for the person who asked."""
        actions: Mapping[str, tuple[Callable[..., dict[str, Json]], set[str], set[str]]] = {
            "start": (self.start, {"workflow"}, {"input", "run_id"}),
            "register": (self.register, {"definition"}, set()),
            "describe": (self.describe, {"run_id"}, set()),
            "output": (self.output, {"run_id"}, {"task_id"}),
            "list": (self.list_runs, set(), {"workflow", "status", "limit", "cursor"}),
            "workflows": (self.workflows, set(), set()),
            "cancel": (self.cancel, {"run_id"}, set()),
            "redrive": (self.redrive, {"run_id"}, {"from_task", "epoch"}),
            "verify": (self.verify, set(), {"run_id", "limit", "cursor"}),
            "dead_letters": (self.dead_letters, set(), {"limit"}),
            "dead_letter": (self.dead_letter, {"id"}, set()),
            "redrive_dead_letters": (self.redrive_dead_letters, set(), {"id", "all"}),
            "drop_dead_letter": (self.drop_dead_letter, {"id"}, set()),
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
        started = self.engine.start(self._to_start(workflow, run_id), run_id, text)
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
        _require_page(limit, cursor)
        names = [entry.name for entry in self.engine.catalog.entries()]
        if workflow is not None:
            require_id("workflow", workflow)
            if workflow not in names:
                raise NotFound(f"workflow: there is no {workflow!r}; there are {', '.join(names) or 'none'}")
            names = [workflow]
        page = self._find(names, status, limit, cursor)
        return {"runs": [views.summary(run) for run in page.runs], "cursor": page.cursor}

    def workflows(self) -> dict[str, Json]:
        return {"workflows": [asdict(entry) for entry in self.engine.catalog.entries()]}

    def cancel(self, *, run_id: Json) -> dict[str, Json]:
        require_id("run_id", run_id)
        return self._asked(self.engine.cancel(run_id))

    def redrive(self, *, run_id: Json, from_task: Json = None, epoch: Json = None) -> dict[str, Json]:
        """`epoch` is the one that the caller has seen: it changes nothing in a later one, so it may be repeated."""
        require_id("run_id", run_id)
        if from_task is not None:
            require_id("from_task", from_task)
        if epoch is not None and (not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1):
            raise InvalidRequest(f"epoch: must be a whole number from 1 on, not {shown(epoch)}")
        return self._asked(self.engine.redrive(run_id, from_task, epoch))

    def verify(self, *, run_id: Json = None, limit: Json = DEFAULT_PAGE, cursor: Json = None) -> dict[str, Json]:
        _require_page(limit, cursor)
        if run_id is None:
            page = self._find([entry.name for entry in self.engine.catalog.entries()], None, limit, cursor)
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
            raise views.no_such_run(run_id)
        return Page([run])

    def dead_letters(self, *, limit: Json = DEFAULT_PAGE) -> dict[str, Json]:
        _require_page(limit, None)
        newest = sorted(dead_letters.read(self.letters, limit), key=lambda letter: letter.sent_at, reverse=True)
        counts = self.letters.counts()
        return {
            "letters": [dead_letters.summary(letter) for letter in newest[:limit]],
            "queues": [{"queue": origin, "messages": count} for origin, count in counts.items()],
        }

    def dead_letter(self, *, id: Json) -> dict[str, Json]:  # noqa: A002
        require_id("id", id)
        letter = dead_letters.find(self.letters, id)
        if letter is None:
            raise _no_such_letter(id)
        return _whole(letter)

    def redrive_dead_letters(self, *, id: Json = None, all: Json = None) -> dict[str, Json]:  # noqa: A002
        if (id is None) == (all is None) or not (all is None or all is True):
            raise InvalidRequest('id: name one letter by "id", or all of them by "all": true')
        if id is not None:
            require_id("id", id)
        sweep = cache(self.sweep)  # once, however many letters ask for it
        redriven, refused = dead_letters.redrive(self.letters, lambda letter: self._do_again(letter, sweep), id)
        if id is not None and refused:
            raise Conflict(f"id: {id!r} stays where it is: {refused[id]}")
        if id is not None and not redriven:
            raise _no_such_letter(id)
        return {
            "redriven": redriven,
            "refused": [{"id": letter_id, "reason": reason} for letter_id, reason in refused.items()],
        }

    def drop_dead_letter(self, *, id: Json) -> dict[str, Json]:  # noqa: A002
        require_id("id", id)
        letter = dead_letters.drop(self.letters, id)
        if letter is None:
            raise _no_such_letter(id)
        return _whole(letter)

    def _to_start(self, workflow: str, run_id: str) -> Workflow:
        """Return the version that a run gets. That of a run which there is already need not be startable any more."""
        try:
            definition = self.engine.catalog.current(workflow)
            self._require_services(definition)
        except Refused:
            run = self.engine.store.get_run(run_id)
            if run is None or run.workflow != workflow:
                raise
            return self.engine.catalog.pinned(run.workflow, run.definition)
        return definition

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

    def _do_again(self, letter: Letter, sweep: Callable[[], object]) -> None:
        """Do what a letter is about. Raises Refused if that cannot be done."""
        match dead_letters.content(letter):
            case Message() as message:
                self.engine.queue.send([message])
            case Record(run_id, task_id):
                try:
                    ended = self.engine.advance(run_id, task_id)
                except Exception as error:
                    if failures.is_mendable(error):
                        raise
                    raise Conflict(f"it still cannot be handled: {failures.reason(error)}") from error
                if ended:
                    self.ended(ended)
            case _:
                # Whatever was lost with these records is due in a sweep.
                sweep()

    def _find(self, names: Sequence[str], status: str | None, limit: int, cursor: str | None) -> Page:
        """Return up to `limit` runs of several workflows, the newest first, and where to go on."""
        found: list[Run] = []
        unreadable: dict[str, str] = {}
        for _ in range(MAX_PAGES_READ):
            page = self.engine.store.list_runs(names, limit, cursor)
            cursor = page.cursor
            unreadable |= page.unreadable
            found += [run for run in page.runs if status in {None, run.status}]
            if len(found) > limit:
                return Page(found[:limit], found[limit - 1].position, unreadable)
            if cursor is None or len(found) == limit:
                break
        return Page(found, cursor, unreadable)

    def _require_services(self, workflow: Workflow) -> None:
        if unknown := sorted(workflow.services - self.services):
            known = ", ".join(sorted(self.services)) or "none"
            raise InvalidRequest(f"service: {unknown[0]!r} is not deployed; the services are {known}")


def _unreadable(run_id: str, why: str) -> Json:
    return {"run_id": run_id, **asdict(invariants.Violation(UNREADABLE, "run", why))}


def _require_page(limit: Json, cursor: Json) -> None:
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"limit: must be a whole number from 1 to {MAX_PAGE}, not {shown(limit)}")
    if cursor is not None and (not isinstance(cursor, str) or not CURSOR.fullmatch(cursor)):
        raise InvalidRequest("cursor: is not one that a list has returned")


def _whole(letter: Letter) -> dict[str, Json]:
    return {"letter": {**dead_letters.summary(letter), "body": letter.body}}


def _no_such_letter(letter_id: str) -> NotFound:
    where = f"among the first {dead_letters.MAX_LETTERS} of each queue"
    return NotFound(f"id: there is no dead letter {letter_id!r} {where}; it may be gone already, or be in use")
