"""The definition of a workflow: a directed acyclic graph of tasks. Pure, frozen, and valid once it exists.

    ABC = Workflow("abc", {
        "A": Task("a"),
        "B1": Task("b1", after=["A"]),
        "B2": Task("b2", after=["A"]),
        "C": Task("c", after=["B1", "B2"]),
    })

A definition is named by its content: `Workflow.version` is the hash of its canonical JSON, so that equal graphs are one
version however they were written, and a run that pins a version can never see it change.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from orchestration import graph, payload
from orchestration.errors import PayloadError, WorkflowError
from orchestration.payload import Json

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What an id may be. No separator of the table's keys is in it, so that no id can address another item."""

MAX_TASKS = 10_000
MAX_DEPENDENCIES = 1_000  # of one task, and sinks of one run: the most members that one join holds
MAX_DEFINITION_BYTES = 3_500_000  # so that it, and a description of its run, fit into Lambda's 6 MB
MAX_TIMEOUT_S = 840  # a worker waits for its task, and a Lambda function lives for at most 900 s
MAX_DELAY_S = 86_400
MAX_TOTAL_S = 31_536_000  # a year, as Step Functions' longest execution
MAX_ATTEMPTS = 100
ANY_ERROR = "*"


@dataclass(frozen=True, kw_only=True)
class Retry:
    """When a failed attempt is tried again. The default is: never.

    Before attempt n + 1 passes a random time between 0 and min(max_delay_s, delay_s * backoff ** (n - 1)) seconds
    ("full jitter"). `on` names the errors that are worth another attempt; `*` is any.
    """

    max_attempts: int = 1
    delay_s: float = 1
    backoff: float = 2
    max_delay_s: float = 60
    on: Sequence[str] = (ANY_ERROR,)

    def __post_init__(self) -> None:
        _require_int("max_attempts", self.max_attempts, 1, MAX_ATTEMPTS)
        for name, low, high in (
            ("delay_s", 0, MAX_DELAY_S),
            ("backoff", 1, 10),
            ("max_delay_s", 0, MAX_DELAY_S),
        ):
            object.__setattr__(self, name, _number(name, getattr(self, name), low, high))
        _require_strings("on", self.on)
        if not self.on or any(not 1 <= len(name) <= 256 for name in self.on):
            raise WorkflowError("on", 'must name at least one error, each of 1 to 256 characters; "*" is any error')
        if lone := [name for name in self.on if _has_lone_surrogate(name)]:
            raise WorkflowError("on", f"{shown(lone[0])} holds a lone surrogate, which UTF-8 cannot express")
        object.__setattr__(self, "on", tuple(sorted(set(self.on))))

    def to_json(self) -> dict[str, Json]:
        return {**dataclasses.asdict(self), "on": list(self.on)}


@dataclass(frozen=True)
class Task:
    """One task: the service that does it, the tasks that it waits for, and the constants that it is given."""

    service: str
    after: Sequence[str] = ()
    params: Mapping[str, Json] = field(default_factory=dict)
    timeout_s: int = 60  # of one attempt
    retry: Retry = field(default_factory=Retry)
    total_timeout_s: int | None = None  # of all attempts together, and what passes between them
    at_most_once: bool = False  # a worker that is lost fails the task: it is never invoked again by itself

    def __post_init__(self) -> None:
        require_id("service", self.service)
        _require_strings("after", self.after)
        if (twice := _first_repeated(self.after)) is not None:
            raise WorkflowError("after", f"names {shown(twice)} twice")
        if len(self.after) > MAX_DEPENDENCIES:
            raise WorkflowError("after", f"names {len(self.after)} tasks, and the limit is {MAX_DEPENDENCIES}")
        if not isinstance(self.params, Mapping):
            raise WorkflowError("params", f"must be an object, not {_kind(self.params)}")
        try:
            # Through JSON and back: the task's own copy, which nobody else can change.
            own = payload.parse(payload.dump(dict(self.params), what="params"), what="params")
        except PayloadError as exc:
            raise WorkflowError("params", str(exc).removeprefix("params: ")) from None
        _require_int("timeout_s", self.timeout_s, 1, MAX_TIMEOUT_S)
        if not isinstance(self.retry, Retry):
            raise WorkflowError("retry", f"must be a Retry, not {_kind(self.retry)}")
        if self.total_timeout_s is not None:
            _require_int("total_timeout_s", self.total_timeout_s, 1, MAX_TOTAL_S)
        if not isinstance(self.at_most_once, bool):
            raise WorkflowError("at_most_once", f"must be true or false, not {shown(self.at_most_once)}")
        if self.at_most_once and self.retry.max_attempts > 1:
            raise WorkflowError(
                "at_most_once", f"excludes a retry, and retry.max_attempts is {self.retry.max_attempts}; leave one out"
            )
        object.__setattr__(self, "after", tuple(sorted(self.after)))
        object.__setattr__(self, "params", own)

    def to_json(self) -> dict[str, Json]:
        return {
            "service": self.service,
            "after": list(self.after),
            "params": dict(self.params),
            "timeout_s": self.timeout_s,
            "retry": self.retry.to_json(),
            # Left out where they are not used, so that such a definition keeps the version that it had without them.
            **({"total_timeout_s": self.total_timeout_s} if self.total_timeout_s is not None else {}),
            **({"at_most_once": True} if self.at_most_once else {}),
        }

    @classmethod
    def from_json(cls, value: Json) -> Task:
        fields = _fields(cls, value, required=("service",))
        if "retry" in fields:
            _require_object("retry", fields["retry"])
            try:
                fields["retry"] = Retry(**_fields(Retry, fields["retry"]))
            except WorkflowError as exc:
                raise exc.within("retry") from None
        return cls(**fields)


@dataclass(frozen=True)
class Workflow:
    """A named graph of tasks. Raises WorkflowError if it breaks a rule: it exists, so it is valid."""

    name: str
    tasks: Mapping[str, Task]
    timeout_s: int | None = None  # of a whole run

    def __post_init__(self) -> None:
        require_id("name", self.name)
        if self.timeout_s is not None:
            _require_int("timeout_s", self.timeout_s, 1, MAX_TOTAL_S)
        _require_tasks(self.tasks)
        # Sorted, so that a task's index is the same wherever the definition is read.
        object.__setattr__(self, "tasks", {task_id: self.tasks[task_id] for task_id in sorted(self.tasks)})
        for task_id, task in self.tasks.items():
            if unknown := [dependency for dependency in task.after if dependency not in self.tasks]:
                raise WorkflowError(f"tasks.{task_id}.after", f"names {shown(unknown[0])}, which is not a task")
        if cycle := graph.shortest_cycle({task_id: task.after for task_id, task in self.tasks.items()}):
            raise WorkflowError("tasks", f"the dependencies form a cycle: {_shown_cycle(cycle)}")
        if len(self.sinks) > MAX_DEPENDENCIES:
            raise WorkflowError(
                "tasks", f"{len(self.sinks)} tasks have no dependent, and the limit is {MAX_DEPENDENCIES}"
            )
        if (size := len(self.canonical().encode())) > MAX_DEFINITION_BYTES:
            raise WorkflowError(
                "tasks", f"the definition is {size} bytes as canonical JSON, and the limit is {MAX_DEFINITION_BYTES}"
            )

    @cached_property
    def dependents(self) -> Mapping[str, tuple[str, ...]]:
        """For each task, the tasks that wait for it, in order of id."""
        found: dict[str, list[str]] = {task_id: [] for task_id in self.tasks}
        for task_id, task in self.tasks.items():
            for dependency in task.after:
                found[dependency].append(task_id)
        return {task_id: tuple(ids) for task_id, ids in found.items()}

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The tasks that wait for nothing."""
        return tuple(task_id for task_id, task in self.tasks.items() if not task.after)

    @cached_property
    def sinks(self) -> tuple[str, ...]:
        """The tasks that nothing waits for: when all have succeeded, the run has."""
        return tuple(task_id for task_id, dependents in self.dependents.items() if not dependents)

    @cached_property
    def indexes(self) -> Mapping[str, int]:
        """Each task's place in the order of ids: how a join remembers who has arrived."""
        return {task_id: index for index, task_id in enumerate(self.tasks)}

    @cached_property
    def services(self) -> frozenset[str]:
        return frozenset(task.service for task in self.tasks.values())

    @cached_property
    def version(self) -> str:
        """The SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
        return payload.digest(self.canonical())

    def to_json(self) -> dict[str, Json]:
        """Return the canonical form, every default written out but for those that say that something is not used."""
        return {
            "name": self.name,
            "tasks": {task_id: task.to_json() for task_id, task in self.tasks.items()},
            **({"timeout_s": self.timeout_s} if self.timeout_s is not None else {}),
        }

    def canonical(self) -> str:
        """Return the canonical JSON text: keys sorted at every level, no spaces."""
        return payload.dump_sorted(self.to_json())

    @classmethod
    def from_json(cls, value: Json) -> Workflow:
        """Return the workflow of parsed JSON, of which all but `name`, `tasks` and `service` may be left out."""
        fields = _fields(cls, value, required=("name", "tasks"))
        if isinstance(fields["tasks"], Mapping):
            fields["tasks"] = {task_id: _task(task_id, task) for task_id, task in fields["tasks"].items()}
        return cls(**fields)


def _task(task_id: str, value: Json) -> Task:
    at = f"tasks.{_clipped(str(task_id))}"
    _require_object(at, value)
    try:
        return Task.from_json(value)
    except WorkflowError as exc:
        raise exc.within(at) from None


def _require_tasks(tasks: Mapping[str, Task]) -> None:
    if not isinstance(tasks, Mapping):
        raise WorkflowError("tasks", f"must be an object of tasks by id, not {_kind(tasks)}")
    if not tasks:
        raise WorkflowError("tasks", "is empty, and a workflow has at least one task")
    if len(tasks) > MAX_TASKS:
        raise WorkflowError("tasks", f"has {len(tasks)} tasks, and the limit is {MAX_TASKS}")
    folded: dict[str, str] = {}
    for task_id, task in tasks.items():
        require_id("tasks", task_id)
        if not isinstance(task, Task):
            raise WorkflowError(f"tasks.{task_id}", f"must be a Task, not {_kind(task)}")
        # State names and file names are compared without case in places that we do not control.
        other = folded.setdefault(task_id.lower(), task_id)
        if other != task_id:
            raise WorkflowError("tasks", f"{shown(other)} and {shown(task_id)} differ in nothing but case")


def _fields(cls: type, value: Json, required: Sequence[str] = ()) -> dict[str, Any]:
    """Return a JSON object's items, having checked that `cls` has a field for each and that none is missing."""
    at = cls.__name__.lower()
    _require_object(at, value)
    known = [f.name for f in dataclasses.fields(cls)]
    if unknown := [key for key in value if key not in known]:
        field = _clipped(str(unknown[0])) or "''"
        raise WorkflowError(field, f"is not a field of a {at}; the fields are {', '.join(known)}")
    if missing := next((key for key in required if key not in value), None):
        raise WorkflowError(missing, f"is missing from the {at}")
    return dict(value)


def _require_object(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise WorkflowError(name, f"must be an object, not {_kind(value)}")


def require_id(name: str, value: object) -> None:
    """Raise WorkflowError unless `value` is an id. `name` is the field in the message."""
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise WorkflowError(name, f"{shown(value)} is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -")


def _require_strings(name: str, values: object) -> None:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise WorkflowError(name, f"must be a list of strings, not {_kind(values)}")
    if bad := next(([v] for v in values if not isinstance(v, str)), None):
        raise WorkflowError(name, f"must be a list of strings, and {shown(bad[0])} is {_kind(bad[0])}")


def _require_int(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise WorkflowError(name, f"must be a whole number from {low} to {high}, not {shown(value)}")


def _number(name: str, value: object, low: float, high: float) -> float:
    """Return the number, as an int where it is one: 1 and 1.0 are the same definition."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise WorkflowError(name, f"must be a number from {low} to {high}, not {shown(value)}")
    return int(value) if value == int(value) else value


def _first_repeated(values: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def _shown_cycle(cycle: Sequence[str]) -> str:
    """Return `A -> B -> A`; the middle of a long one is left out."""
    ids = [*cycle, cycle[0]]
    shown = ids if len(ids) <= 12 else [*ids[:6], f"... {len(ids) - 9} more ...", *ids[-3:]]
    return " -> ".join(shown)


def shown(value: object) -> str:
    """Return a value from outside as it may stand in one line of a message."""
    try:
        return _clipped(ascii(value))
    except (ValueError, RecursionError):  # a number of thousands of digits; lists within lists within lists
        return "a value that is too large to show"


def _has_lone_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _clipped(text: str) -> str:
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= 80 else text[:77] + "..."


def _kind(value: object) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return "null" if value is None else names.get(type(value), f"a {type(value).__name__}")
