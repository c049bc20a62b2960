# ruff: noqa: INP001 - part of the emulator's program, no module of this package
"""An interpreter of Amazon States Language, for JSONata.

It runs the states Task (a Lambda function), Parallel, Pass, Choice, Wait, Succeed and Fail; what it does not know fails
the execution, and says so.

The walk is one thread of asyncio, in which each branch is a task; the world comes in through `Ports`. Sources of what
it does: docs.aws.amazon.com/step-functions/latest/dg (workflow-variables, transforming-data, concepts-error-handling,
redrive-executions), states-language.net/spec.html, and recordings of AWS (see state_history).

Where an execution stands is in its `positions`, which are plain JSON: for each branch that was begun, the state that it
is in with what was given to it, or its output. A walk goes on from there, which is what a redrive is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn, Protocol

from local.bootstrap import state_history as history
from local.bootstrap.state_branches import Branch, Positions, Visit
from local.bootstrap.state_errors import (
    CRASHED,
    DATA_LIMIT,
    NO_CHOICE,
    RUNTIME,
    TIMEOUT,
    Failed,
    Retriers,
    matches,
)
from local.bootstrap.state_fields import Fields, Part
from local.bootstrap.state_history import Details
from local.bootstrap.state_support import State, refusal
from local.bootstrap.state_values import Evaluate, Json, compact, limited, limited_together

_LOST = "the emulator has ended while the function ran"
_GIVEN_UP = {"Task", "Parallel", "Wait"}
"""The states for which there is an event of being given up."""


class Emit(Protocol):
    def __call__(self, kind: str, previous: int, details: Details | None = None) -> int:
        """Add an event to the history, and return its id. Raises Ended if the execution has: nothing follows."""


@dataclass(frozen=True)
class Ports:
    """What the walk needs of the world. `now` is in epoch seconds; `random` returns a number from 0 to 1."""

    emit: Emit
    evaluate: Evaluate
    invoke: Callable[[str, Json], Awaitable[Json]]
    """Invokes the function of an ARN, and returns what it returned, or raises Failed. It may be cancelled."""
    sleep: Callable[[float], Awaitable[None]]
    now: Callable[[], float]
    random: Callable[[], float]


@dataclass(frozen=True)
class Ending:
    """How an execution has ended: `previous` is the event before the one that says so."""

    status: str
    previous: int
    output: str | None = None
    failure: Failed | None = None


@dataclass(frozen=True)
class _Left:
    """How a state was left: its output, the variables that it assigned, and the next state or None."""

    output: Json
    assigned: Mapping[str, Json]
    next: str | None


class Walk:
    """One execution of a definition. `context` is its $states.context without the State.

    Attempts that the positions say are under way are lost: the process in which they were has ended.
    """

    def __init__(
        self, definition: Mapping[str, Json], context: Mapping[str, Json], positions: Positions, ports: Ports
    ) -> None:
        self._definition = definition
        self._context = context
        self._positions = positions
        self._ports = ports
        self._fields = Fields(ports.evaluate, context, self._emit_failed)
        self._handlers: Mapping[str, Callable[[Visit], Awaitable[_Left]]] = {
            "Task": partial(self._tried, attempt=self._attempt),
            "Parallel": partial(self._tried, attempt=self._branches),
            "Pass": self._pass,
            "Wait": self._wait,
            "Choice": self._choice,
            "Succeed": self._succeed,
            "Fail": self._fail,
        }

    async def run(self, timeout_s: float | None = None) -> Ending:
        """Walk from the positions, or from the start if there are none, to the end. Raises Ended if it was ended."""
        root = self._begin("", self._definition, None, self._context["Execution"]["Input"])
        walking = asyncio.ensure_future(self._walk(root))
        try:
            await asyncio.wait({walking}, timeout=timeout_s)
        finally:
            in_time = walking.done()
            root.given_up = not in_time
            await _cancel([walking])
        last = root.position["last"]
        if not in_time:
            return Ending("TIMED_OUT", 0)
        try:
            return Ending("SUCCEEDED", last, output=compact(walking.result()))
        except Failed as failure:
            return Ending("FAILED", last, failure=failure)

    # The states of one branch, one after the other.

    def _begin(self, key: str, machine: Mapping[str, Json], outer: Branch | None, given: Json) -> Branch:
        last = outer.position["last"] if outer else 0
        start = {"state": machine["StartAt"], "given": given, "variables": {}, "last": last}
        return Branch(key, machine["States"], self._positions.setdefault(key, start), outer)

    async def _walk(self, branch: Branch) -> Json:
        while "output" not in branch.position:
            name = branch.position["state"]
            state = branch.states.get(name)
            if state is None:
                raise Failed(RUNTIME, f"there is no state {name!r} here")
            unknown = refusal(state, str(self._definition.get("QueryLanguage", "JSONPath")))
            if unknown:
                raise Failed(RUNTIME, f"state {name!r}: {unknown}, which this emulator does not run")
            await self._visit(branch, name, state)
        return branch.position["output"]

    async def _visit(self, branch: Branch, name: str, state: State) -> None:
        position = branch.position
        kind = state["Type"]
        if "entered_at" not in position or kind == "Fail":
            before = position["last"]
            self._emit(branch, f"{kind}StateEntered", history.entered(name, position["given"]))
            position.update(before_id=before, entered_id=position["last"], entered_at=_iso(self._ports.now()))
        retries = state.get("Retry", ())
        tries = Retriers(retries, position.setdefault("tries", [0] * len(retries)))
        visit = Visit(branch, name, state, position["given"], tries)
        left = await self._handlers[kind](visit)
        output = limited(left.output, name)
        self._emit(branch, f"{kind}StateExited", history.exited(name, output, left.assigned))
        variables = {**position["variables"], **left.assigned}
        last = position["last"]
        if left.next is None:
            branch.position = {"output": left.output, "last": last}
        else:
            branch.position = {"state": left.next, "given": left.output, "variables": variables, "last": last}
        self._positions[branch.key] = branch.position
        self._forget(visit)

    def _emit(self, branch: Branch, kind: str, details: Details | None = None) -> None:
        """Add the branch's next event. Everything that begins is told first, so a given-up branch begins nothing."""
        if branch.is_given_up():
            raise asyncio.CancelledError
        branch.position["last"] = self._ports.emit(kind, branch.position["last"], details)

    def _emit_failed(self, branch: Branch, kind: str, details: Details) -> None:
        """Add the event of an expression that failed. It may follow the one before its state was entered."""
        position = branch.position
        waits = branch.states[position["state"]]["Type"] == "Wait"
        if position["last"] == position["entered_id"] and not waits:
            position["last"] = position.get("before_id", position["last"])  # one of an earlier release has none
        self._emit(branch, kind, details)

    def _tell(self, branch: Branch, kind: str) -> None:
        """Add an event that the branch's next one does not follow."""
        if branch.is_given_up():
            raise asyncio.CancelledError
        self._ports.emit(kind, branch.position["last"])

    # The states themselves.

    async def _attempt(self, visit: Visit) -> Json:
        resource = str(visit.state["Resource"])
        if visit.branch.position.get("attempt"):
            self._attempt_failed(visit, Failed(CRASHED, compact({"errorType": CRASHED, "errorMessage": _LOST})))
        arguments = self._fields.value(visit, "Arguments", visit.given)
        given = limited(arguments, visit.name)
        timeout_s = self._timeout_s(visit)
        self._emit(visit.branch, "LambdaFunctionScheduled", history.scheduled(resource, given, timeout_s))
        self._emit(visit.branch, "LambdaFunctionStarted")
        visit.branch.position["attempt"] = True
        try:
            result = await _within(timeout_s, self._ports.invoke(resource, arguments))
            returned = limited(result, resource)
        except Failed as failure:
            self._attempt_failed(visit, failure)
        self._emit(visit.branch, "LambdaFunctionSucceeded", history.returned(returned))
        visit.branch.position["attempt"] = False
        return result

    def _attempt_failed(self, visit: Visit, failure: Failed) -> NoReturn:
        how = "TimedOut" if failure.error == TIMEOUT else "Failed"
        self._emit(visit.branch, f"LambdaFunction{how}", {f"lambdaFunction{how}EventDetails": failure.details})
        visit.branch.position["attempt"] = False
        raise failure

    def _timeout_s(self, visit: Visit) -> int | None:
        if "TimeoutSeconds" not in visit.state:
            return None
        seconds = self._fields.typed(visit, "TimeoutSeconds", "number")
        if seconds != int(seconds) or seconds < 1:
            problem = f"is {compact(seconds)}, and no positive whole number"
            raise self._fields.failed(visit, "TimeoutSeconds", "The value", problem)
        return int(seconds)

    async def _branches(self, visit: Visit) -> Json:
        branch = visit.branch
        if not any(key.startswith(visit.key) for key in self._positions):
            given = self._fields.value(visit, "Arguments", visit.given)
            limited(given, visit.name)
            self._emit(branch, "ParallelStateStarted")
        else:
            given = visit.given
        machines = visit.state["Branches"]
        branch.inner = [
            self._begin(visit.key_of(number), machine, branch, given) for number, machine in enumerate(machines)
        ]
        failures: list[tuple[Failed, int]] = []
        walks = [asyncio.ensure_future(self._side(inner, branch, failures)) for inner in branch.inner]
        try:
            await asyncio.wait(walks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            outcomes = await _cancel(walks)
        if failures:
            failure, branch.position["last"] = failures[0]
            for inner in branch.inner:
                self._tell_given_up(inner, branch)
            branch.inner = []
            raise failure
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        branch.position["last"] = max(inner.position["last"] for inner in branch.inner)
        branch.inner = []
        self._tell(branch, "ParallelStateSucceeded")
        return outcomes

    async def _side(self, branch: Branch, outer: Branch, failures: list[tuple[Failed, int]]) -> Json:
        try:
            return await self._walk(branch)
        except Failed as failure:
            failures.append((failure, branch.position["last"]))
            for other in outer.inner:  # at once, and not when the Parallel state hears of it
                other.given_up = True
            raise

    def _tell_given_up(self, branch: Branch, parallel: Branch) -> None:
        for inner in branch.inner:
            self._tell_given_up(inner, parallel)
        kind = branch.states[branch.position["state"]]["Type"] if "entered_at" in branch.position else None
        if kind in _GIVEN_UP:
            self._tell(parallel, f"{kind}StateAborted")

    def _forget(self, visit: Visit) -> None:
        for key in [key for key in self._positions if key.startswith(visit.key)]:
            del self._positions[key]

    async def _pass(self, visit: Visit) -> _Left:
        return self._left(visit, self._fields.value(visit, "Output", visit.given))

    async def _wait(self, visit: Visit) -> _Left:
        if "Seconds" in visit.state:
            seconds = float(self._fields.typed(visit, "Seconds", "number"))
        else:
            until = self._fields.typed(visit, "Timestamp", "string")
            try:
                seconds = datetime.fromisoformat(until).timestamp() - self._ports.now()
            except ValueError:
                raise self._fields.failed(visit, "Timestamp", "The value", f"is {until}, and no timestamp") from None
        await self._ports.sleep(max(seconds, 0))
        return self._left(visit, self._fields.value(visit, "Output", visit.given))

    async def _choice(self, visit: Visit) -> _Left:
        for index, rule in enumerate(visit.state["Choices"]):
            where = f"Choices[{index}]/Condition"
            if self._fields.typed(visit, where, "boolean", rule["Condition"]):
                output = self._fields.value(visit, "Output", visit.given, of=(rule, f"Choices[{index}]/"))
                return self._left(visit, output, of=(rule, f"Choices[{index}]/"))
        if "Default" not in visit.state:
            raise Failed(NO_CHOICE, f"state {visit.name!r}: no rule holds, and there is no Default")
        by_default = {**visit.state, "Next": visit.state["Default"]}
        return self._left(visit, self._fields.value(visit, "Output", visit.given), of=(by_default, ""))

    async def _succeed(self, visit: Visit) -> _Left:
        return _Left(self._fields.value(visit, "Output", visit.given), {}, None)

    async def _fail(self, visit: Visit) -> _Left:
        error = self._fields.typed(visit, "Error", "string") if "Error" in visit.state else ""
        raise Failed(error, self._fields.typed(visit, "Cause", "string") if "Cause" in visit.state else None)

    # Attempts, and what a state leaves behind.

    async def _tried(self, visit: Visit, attempt: Callable[[Visit], Awaitable[Json]]) -> _Left:
        while True:
            has_result = False
            try:
                result = await attempt(visit)
                has_result = True
                output = self._fields.value(visit, "Output", result, result=result)
                limited(output, visit.name)
                return self._left(visit, output, result=result)
            except Failed as failure:
                if has_result and failure.error == DATA_LIMIT:
                    self._forget(visit)  # a redrive runs all branches of the state again
                delay_s = visit.retriers.delay_s(failure.error, self._ports.random)
                if delay_s is None:
                    return self._caught(visit, failure)
            await self._ports.sleep(delay_s)
            self._forget(visit)

    def _caught(self, visit: Visit, failure: Failed) -> _Left:
        if visit.state["Type"] == "Parallel":
            self._emit(visit.branch, "ParallelStateFailed")
        for index, catcher in enumerate(visit.state.get("Catch", ())):
            if matches(catcher["ErrorEquals"], failure.error):
                error = {"Error": failure.error, "Cause": failure.cause or ""}
                of = (catcher, f"Catch[{index}]/")
                output = self._fields.value(visit, "Output", error, of, errorOutput=error)
                return self._left(visit, output, of, errorOutput=error)
        raise failure

    def _left(self, visit: Visit, output: Json, of: Part | None = None, **states: Json) -> _Left:
        assigned = self._fields.value(visit, "Assign", {}, of, **states)
        limited_together(assigned.values(), visit.name)
        return _Left(output, assigned, (of[0] if of else visit.state).get("Next"))


async def _within(timeout_s: int | None, invocation: Awaitable[Json]) -> Json:
    """Return the result, or raise States.Timeout; then nobody waits for the function any more, but it goes on."""
    running = asyncio.ensure_future(invocation)
    try:
        done, _ = await asyncio.wait({running}, timeout=timeout_s)
    finally:
        if not running.done():
            running.cancel()
        elif not running.cancelled():
            running.exception()  # it is known, also if nobody asks for it: the branch may have been given up
    if not done:
        raise Failed(TIMEOUT)
    return running.result()


async def _cancel(tasks: Sequence[asyncio.Future[Json]]) -> list[Json | BaseException]:
    """Cancel what is not done, wait until all are, and return their results or exceptions."""
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
