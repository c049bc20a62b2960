"""A check of compiled state machines that shares nothing with the compiler, and is stricter than AWS's own.

The emulator takes any definition, and other validators know the whole language. This one knows the little of it that
Orchestra compiles to, so that whatever else is there is a mistake. Pure.

Sources: states-language.net/spec.html; docs.aws.amazon.com/step-functions/latest/dg, "Passing data between states with
variables" (scopes), "Handling errors" (retriers), "Service quotas" (2026).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_BYTES = 1_048_576
MAX_NAME = 80
MAX_SECONDS = 31_622_400  # of MaxDelaySeconds
MAX_RETRIES = 99_999_999

VARIABLE = r"\$(?!states\b)[A-Za-z_][A-Za-z0-9_]*"
REDRIVEN = r"\$states\.context\.Execution\.RedriveTime"
SINCE = (
    r"\$max\(\[\$toMillis\(\$states\.context\.State\.EnteredTime\), "
    rf"\$exists\({REDRIVEN}\) \? \$toMillis\({REDRIVEN}\) : 0\]\)"
)
LEFT = rf"\d+ - \(\$millis\(\) - {SINCE}\) / 1000"
FORMS: Mapping[str, tuple[str, ...]] = {
    "Arguments": (
        r"\$states\.context\.Execution\.Name",
        r"\$states\.context\.Execution\.Name & '/[A-Za-z0-9_-]{1,64}'",
        r"\$states\.context\.Execution\.Input",
        r"\$states\.context\.State\.RetryCount \+ 1",
        r"\$millis\(\) \+ \d+",
        VARIABLE,
    ),
    "Assign": (r"\$states\.result", r"\$states\.result\[\d+\]\.`[A-Za-z0-9_-]{1,64}`"),
    "Output": (r"\$states\.result", r"\$states\.result\[\d+\]\.`[A-Za-z0-9_-]{1,64}`", VARIABLE),
    "TimeoutSeconds": (rf"\$min\(\[\d+, \$ceil\({LEFT}\)\]\)",),
}
"""The expressions that may be where, besides a JSON literal in a task's params."""
MACHINE = frozenset({"Comment", "QueryLanguage", "TimeoutSeconds", "StartAt", "States"})
COMMON = frozenset({"Type", "Next", "End", "Assign", "Output"})
FIELDS: Mapping[str, frozenset[str]] = {
    "Task": COMMON | {"Resource", "Arguments", "TimeoutSeconds", "Retry"},
    "Parallel": COMMON | {"Branches"},
}
ARGUMENTS = frozenset(
    {
        *("run_id", "workflow", "task_id", "attempt", "idempotency_key", "deadline_at"),
        *("params", "input", "upstream"),
    }
)
RETRIER = frozenset(
    {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy"}
)
FUNCTION = re.compile(r"arn:aws:lambda:[A-Za-z0-9-]+:[A-Za-z0-9]+:function:[A-Za-z0-9_-]{1,64}")


def problems(text: str) -> list[str]:
    """Return what is wrong with a state machine's definition, each in one line that begins with where; [] is fine."""
    return list(_Check(json.loads(text)).machine(len(text.encode())))


@dataclass
class _Check:
    definition: Mapping[str, Any]
    names: set[str] = field(default_factory=set)  # of all states of the machine

    def machine(self, size: int) -> Iterator[str]:
        if size > MAX_BYTES:
            yield f"machine: is {size} bytes, and the limit is {MAX_BYTES}"
        if unknown := sorted(self.definition.keys() - MACHINE):
            yield f"machine: has {unknown}"
        if self.definition.get("QueryLanguage") != "JSONata":
            yield "machine: QueryLanguage is not JSONata"
        if not _is_whole(self.definition.get("TimeoutSeconds", 1), 1, 99_999_999):
            yield "machine: TimeoutSeconds is no number of seconds"
        yield from self.sequence("machine", self.definition, {})

    def sequence(self, at: str, body: Mapping[str, Any], outer: Mapping[str, str]) -> Iterator[str]:
        """Check the states of the machine, or of a branch, in the order of their execution.

        `outer` are the variables of the scopes around, each with the state that has assigned it.
        """
        states, name = body.get("States", {}), body.get("StartAt")
        if at != "machine" and body.keys() != {"StartAt", "States"}:
            yield f"{at}: a branch is StartAt and States, and this has {sorted(body)}"
        seen: list[str] = []
        inner: dict[str, str] = {}
        while name is not None:
            if name not in states:
                yield f"{at}: there is no state {name!r}"
                break
            if name in seen:
                yield f"{name}: is reached again, so that {at} never ends"
                break
            seen.append(name)
            yield from self.state(name, states[name], outer, inner)
            name = states[name].get("Next")
        if unreachable := [other for other in states if other not in seen]:
            yield f"{at}: nothing leads to {unreachable}"

    def name(self, name: str) -> Iterator[str]:
        if name in self.names:
            yield f"{name}: is the name of two states"
        self.names.add(name)
        if not 1 <= len(name) <= MAX_NAME:
            yield f"{name}: its name has {len(name)} characters, and the limit is {MAX_NAME}"

    def state(
        self, name: str, state: Mapping[str, Any], outer: Mapping[str, str], inner: dict[str, str]
    ) -> Iterator[str]:
        yield from self.name(name)
        kind = state.get("Type", "")
        if kind not in FIELDS:
            yield f"{name}: is a {kind!r}"
            return
        if unknown := sorted(state.keys() - FIELDS[kind]):
            yield f"{name}: a {kind} has no {unknown} here"
        if (state.get("End") is True) == ("Next" in state) or state.get("End", True) is not True:
            yield f"{name}: has to have either Next or an End that is true"
        readable = {**outer, **inner}
        if kind == "Task":
            yield from self.task(name, state, readable)
        elif not state.get("Branches"):
            yield f"{name}: has no branches"
        for number, branch in enumerate(state.get("Branches", ())):
            yield from self.sequence(f"{name}[{number}]", branch, readable)
        yield from self.assigned(name, state, outer, inner)

    def assigned(
        self, name: str, state: Mapping[str, Any], outer: Mapping[str, str], inner: dict[str, str]
    ) -> Iterator[str]:
        """Check what a state leaves behind, and add its variables to `inner`: the state itself does not read them."""
        for where in ("Assign", "Output"):
            yield from self.values(f"{name}.{where}", where, state.get(where), {**outer, **inner})
        for variable in state.get("Assign", {}):
            if not re.fullmatch(VARIABLE, f"${variable}") or len(variable) > MAX_NAME:
                yield f"{name}.Assign: {variable!r} is no name of a variable"
            if variable in outer:
                yield f"{name}.Assign: {variable!r} hides the variable of {outer[variable]}"
            inner[variable] = name

    def task(self, name: str, state: Mapping[str, Any], readable: Mapping[str, str]) -> Iterator[str]:
        if not FUNCTION.fullmatch(str(state.get("Resource"))):
            yield f"{name}.Resource: {state.get('Resource')!r} is no function"
        arguments = state.get("Arguments", {})
        if arguments.keys() != ARGUMENTS:
            yield f"{name}.Arguments: the event has {sorted(arguments.keys() ^ ARGUMENTS)} too little or too much"
        for key, value in arguments.items():
            if key == "params":
                yield from self.params(f"{name}.Arguments.params", value)
            else:
                yield from self.values(f"{name}.Arguments.{key}", "Arguments", value, readable)
        timeout = state.get("TimeoutSeconds")
        if isinstance(timeout, str):
            yield from self.values(f"{name}.TimeoutSeconds", "TimeoutSeconds", timeout, readable)
        elif not _is_whole(timeout, 1, MAX_RETRIES):
            yield f"{name}.TimeoutSeconds: {timeout!r} is no number of seconds"
        for number, retrier in enumerate(state.get("Retry", ())):
            last = number == len(state["Retry"]) - 1
            for problem in _retrier_problems(retrier, last=last):
                yield f"{name}.Retry[{number}]: {problem}"

    def values(self, at: str, where: str, value: Any, readable: Mapping[str, str]) -> Iterator[str]:
        """Check each text of a template that AWS evaluates: it is a known expression, or surely none."""
        for text in _texts(value):
            if not text.startswith("{%") and not text.endswith("%}"):
                continue
            expression = _expression(text)
            if expression is None or not any(re.fullmatch(form, expression) for form in FORMS[where]):
                yield f"{at}: {text!r:.120} is no expression that is known here"
                continue
            for variable in re.findall(VARIABLE + r"(?!\w|\()", expression):
                if variable[1:] not in readable:
                    yield f"{at}: {variable} is read, and nothing before has assigned it"

    def params(self, at: str, value: Any) -> Iterator[str]:
        """Check what a user has written: no text of it is an expression, but for one that is a JSON literal."""
        for text in _texts(value):
            if "{%" not in text and "%}" not in text:
                continue
            expression = _expression(text)
            if expression is None or not _is_literal(expression):
                yield f"{at}: {text!r:.120} is an expression that is no literal"
        for key in _keys(value):
            if key.endswith(".$") or "{%" in key:
                yield f"{at}: the key {key!r:.80} is one that means something elsewhere"


def _retrier_problems(retrier: Mapping[str, Any], *, last: bool) -> Iterator[str]:
    if unknown := sorted(retrier.keys() - RETRIER):
        yield f"has {unknown}"
    names = retrier.get("ErrorEquals")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        yield f"ErrorEquals is {names!r}"
        return
    if len(set(names)) < len(names):
        yield "names an error twice"
    if "States.ALL" in names and (names != ["States.ALL"] or not last):
        yield "States.ALL has to be alone, and the last"
    if strange := [name for name in names if name == "States.TaskFailed" or "{%" in name]:
        yield f"{strange} is another's name for errors"
    yield from _delay_problems(retrier)


def _delay_problems(retrier: Mapping[str, Any]) -> Iterator[str]:
    interval, most = retrier.get("IntervalSeconds", 1), retrier.get("MaxDelaySeconds")
    if not _is_whole(interval, 1, MAX_RETRIES):
        yield f"IntervalSeconds is {interval!r}"
    if not _is_whole(retrier.get("MaxAttempts"), 0, MAX_RETRIES):
        yield f"MaxAttempts is {retrier.get('MaxAttempts')!r}"
    rate = retrier.get("BackoffRate", 2.0)
    if not isinstance(rate, int | float) or isinstance(rate, bool) or rate < 1:
        yield f"BackoffRate is {rate!r}"
    if most is not None and (not _is_whole(most, 1, MAX_SECONDS - 1) or most <= interval):
        yield f"MaxDelaySeconds is {most!r}, and IntervalSeconds {interval!r}"
    if retrier.get("MaxAttempts") and retrier.get("JitterStrategy") != "FULL":
        yield "has no jitter"


def _expression(text: str) -> str | None:
    """Return what is evaluated of a text, or None if it only looks like it."""
    if not text.startswith("{%") or not text.endswith("%}") or len(text) < 4:
        return None
    inner = text[2:-2]
    return None if "{%" in inner or "%}" in inner else inner.strip()


def _is_literal(expression: str) -> bool:
    """Tell whether an expression is a JSON value, which JSONata evaluates to itself."""
    try:
        json.loads(expression)
    except ValueError:
        return False
    return True


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value, but not its keys: those are never evaluated."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _keys(item)


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
