"""State machines run by the local interpreter, with functions that do as they are told, in a time of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from local.bootstrap.state_branches import Positions
from local.bootstrap.state_errors import Failed
from local.bootstrap.state_history import History
from local.bootstrap.state_queries import evaluate
from local.bootstrap.states import Ending, Ports, Walk
from tests.support.virtual_time import VirtualTime, run

Json: TypeAlias = Any
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
EXECUTION = {"Id": "arn:aws:states:us-east-1:000000000000:execution:machine:run-1", "Name": "run-1"}
START = 1_767_225_600.0
"""2026-01-01T00:00:00Z"""


@dataclass(frozen=True)
class After:
    """Comes after so many seconds."""

    seconds: float
    what: Json = None


def task(function: str, **fields: Json) -> Json:
    """Return a Task state that ends its branch, unless it has a Next."""
    end = {} if "Next" in fields else {"End": True}
    return {"Type": "Task", "Resource": f"{ARN}{function}", **end, **fields}


def parallel(*branches: Json, **fields: Json) -> Json:
    """Return a Parallel state; a branch is the states of it, of which the first is where it starts."""
    end = {} if "Next" in fields else {"End": True}
    return {"Type": "Parallel", "Branches": [branch(**states) for states in branches], **end, **fields}


def branch(**states: Json) -> Json:
    return {"StartAt": next(iter(states)), "States": states}


@dataclass
class World:
    """Functions by name: each does the things in its list one after the other, and the last of them from then on."""

    functions: dict[str, list[Json]] = field(default_factory=dict)
    random: float = 1.0
    calls: list[tuple[float, str, Json]] = field(default_factory=list)
    """When, which function, and with what."""
    sleeps: list[float] = field(default_factory=list)
    record: dict[str, Json] = field(default_factory=lambda: {"status": "RUNNING", "events": []})
    positions: Positions = field(default_factory=dict)
    at: dict[float, Callable[[], object]] = field(default_factory=dict)
    """What happens from outside, and when."""
    ended_at: float = 0

    def run(self, given: Json = None, timeout_s: float | None = None, **states: Json) -> Ending:
        """Run the machine of these states, the first of which is where it starts."""
        return self.walk({"QueryLanguage": "JSONata", **branch(**states)}, given, timeout_s)

    def walk(self, definition: Json, given: Json = None, timeout_s: float | None = None) -> Ending:
        self.history = History(self.record, self._now)
        ports = Ports(self.history.add, evaluate, self._invoke, self._sleep, self._now, lambda: self.random)
        context = {"Execution": {**EXECUTION, "Input": given}, "StateMachine": {"Name": "machine"}}
        # Through text, as between two processes.
        self.positions = json.loads(json.dumps(self.positions))
        return run(self._walk(Walk(definition, context, self.positions, ports), timeout_s))

    async def _walk(self, walk: Walk, timeout_s: float | None) -> Ending:
        loop = asyncio.get_running_loop()
        for when, happen in self.at.items():
            loop.call_at(when, happen)
        try:
            return await walk.run(timeout_s)
        finally:
            self.ended_at = loop.time()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not [each for each in left if not each.cancelling()], "nothing goes on"

    def _now(self) -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTime)
        return START + loop.time()

    async def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await asyncio.sleep(seconds)

    async def _invoke(self, resource: str, payload: Json) -> Json:
        name = resource.removeprefix(ARN)
        self.calls.append((asyncio.get_running_loop().time(), name, json.loads(json.dumps(payload))))
        script = self.functions[name]
        what = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(what, After):
            await asyncio.sleep(what.seconds)
            what = what.what
        if isinstance(what, Exception):
            raise what
        return what

    # What is to be seen.

    @property
    def called(self) -> list[str]:
        return [name for _, name, _ in self.calls]

    @property
    def told(self) -> list[str]:
        """Return the events: id, previous id, type, and the state's name if the event has it."""
        return [
            " ".join([f"{e['id']}", f"{e['previousEventId']}", e["type"], *_named(e)]) for e in self.record["events"]
        ]

    def details(self, kind: str) -> list[Json]:
        """Return the details of the events of a type."""
        return [
            next((value for name, value in event.items() if name.endswith("Details")), None)
            for event in self.record["events"]
            if event["type"] == kind
        ]


def _named(event: Json) -> list[str]:
    names = ("stateEnteredEventDetails", "stateExitedEventDetails")
    return [event[name]["name"] for name in names if name in event]


def error(name: str, message: str = "") -> Failed:
    return Failed(name, json.dumps({"errorType": name, "errorMessage": message}))
