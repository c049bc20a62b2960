"""A task that does what its event says: return, sleep, fail or die. The contract is in README.md."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_SLEEP_S = 900  # a Lambda function lives no longer
MAX_ATTEMPTS = 100  # of a task, whatever its policy
MAX_SIZE_BYTES = 10_000_000  # more than a function may return
ERROR_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,99}")


class InvalidDirective(ValueError):
    """A directive that can't be followed. The name is the contract."""


@dataclass(frozen=True)
class Failure:
    name: str
    message: str
    attempts: int | None  # how many attempts fail, from the first on; None is all

    def raise_it(self, seen: str | None) -> NoReturn:
        # A type made on the spot: the runtime reports the type's name as the error's name.
        message = self.message if seen is None else f"{self.message} (event {seen})"
        raise type(self.name, (Exception,), {})(message)


def handler(event: dict[str, Any], _context: object) -> Any:
    directives = _directives(event)
    # All are read before the first is followed, so that a bad one is found at once.
    sleep_s, failure = _sleep_s(directives.get("sleep_s")), _failure(directives.get("fail"))
    deaths, size = _whole("die", directives, 0, MAX_ATTEMPTS), _whole("size", directives, 2, MAX_SIZE_BYTES)
    seen = digest(event) if directives.get("digest") is True else None
    time.sleep(sleep_s)
    if deaths is not None and event["attempt"] <= deaths:
        os._exit(1)  # nothing is reported: the process is gone, as if it had run out of memory
    if failure and (failure.attempts is None or event["attempt"] <= failure.attempts):
        failure.raise_it(seen)
    if size is not None:
        return "x" * (size - 2)  # and the quotes
    if seen is not None:
        return {"event": seen, "return": directives.get("return")}
    return directives.get("return", event)  # null is a value to return


def digest(event: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all in an event that is the same whenever and wherever its workflow runs."""
    constant = {key: value for key, value in event.items() if key not in {"run_id", "deadline_at"}}
    # Of the key, only what follows the run's id.
    constant["idempotency_key"] = str(event["idempotency_key"]).removeprefix(str(event["run_id"]))
    return hashlib.sha256(json.dumps(_as_numbers(constant), sort_keys=True).encode()).hexdigest()


def _as_numbers(value: Any) -> Any:
    """Return a value in which a number is written in one way: 1.0 and 1 are the same one to JSON, and not to Python."""
    if isinstance(value, dict):
        return {key: _as_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _directives(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the directives by name: the task's parameters win over its place in the input, and that over the rest."""
    whole = event.get("input")
    tasks = whole.get("tasks") if isinstance(whole, dict) else None
    own = tasks.get(event.get("task_id")) if isinstance(tasks, dict) else None
    return ChainMap(*(layer for layer in (event.get("params"), own, whole) if isinstance(layer, dict)))


def _sleep_s(value: object) -> float:
    if value is None:
        return 0
    # A boolean is an int to Python, and not to JSON.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MAX_SLEEP_S:
        raise InvalidDirective(f"sleep_s must be a number from 0 to {MAX_SLEEP_S}, not {value!r:.80}")
    return value


def _whole(name: str, directives: Mapping[str, Any], least: int, most: int) -> int | None:
    value = directives.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most):
        raise InvalidDirective(f"{name} must be a whole number from {least} to {most}, not {value!r:.80}")
    return value


def _failure(value: object) -> Failure | None:
    if value is None:
        return None
    fields = {"name": value} if isinstance(value, str) else value
    if not isinstance(fields, dict) or not fields.keys() <= {"name", "message", "attempts"}:
        raise InvalidDirective(f"fail must be a name, or an object of name, message and attempts, not {value!r:.80}")
    name, message, attempts = (fields.get(field) for field in ("name", "message", "attempts"))
    if not isinstance(name, str) or not ERROR_NAME.fullmatch(name):
        raise InvalidDirective(f"fail.name must match {ERROR_NAME.pattern}, and {name!r:.80} does not")
    if message is not None and not isinstance(message, str):
        raise InvalidDirective(f"fail.message must be a string, not {message!r:.80}")
    if attempts is not None and (not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 0):
        raise InvalidDirective(f"fail.attempts must be a whole number of attempts, not {attempts!r:.80}")
    return Failure(name, "asked to fail" if message is None else message, attempts)
