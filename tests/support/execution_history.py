"""The history of an execution, written event by event as Step Functions does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from orchestration import payload
from orchestration.executions import Event
from orchestration.payload import Json
from tests.support.memory import FakeClock


@dataclass
class History:
    """Each event is a second later than the one before it, and follows from the last one of its task."""

    clock: FakeClock = field(default_factory=FakeClock)
    events: list[Event] = field(default_factory=list)
    _last: dict[str | None, int] = field(default_factory=dict)  # the last event of each task; of None, of all

    def add(self, type_: str, task: str | None = None, *, previous: int | None = None, **details: str) -> History:
        self.clock.time += 1_000
        before = self._last.get(task, self._last.get(None, 0)) if previous is None else previous
        event = Event(id=len(self.events) + 1, previous=before, type=type_, at=self.clock.time, **details)
        self.events.append(event)
        self._last |= {task: event.id, None: event.id}
        return self

    def enter(self, task: str) -> History:
        return self.add("TaskStateEntered", task, state=task)

    def begin(self, task: str) -> History:
        """An attempt begins."""
        return self.add("LambdaFunctionScheduled", task).add("LambdaFunctionStarted", task)

    def fail(self, task: str, error: str, message: str = "it broke") -> History:
        """An attempt fails as a function that raises does."""
        cause = json.dumps({"errorType": error, "errorMessage": message, "trace": []})
        return self.add("LambdaFunctionFailed", task, error=error, cause=cause)

    def succeed(self, task: str, output: Json = None) -> History:
        text = payload.compact(output)
        return self.add("LambdaFunctionSucceeded", task, output=text).add("TaskStateExited", task, state=task)

    def done(self, task: str, output: Json = None) -> History:
        """A task from its first moment to its last."""
        return self.enter(task).begin(task).succeed(task, output)
