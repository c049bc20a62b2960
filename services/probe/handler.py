"""A task that does what its event says: return, sleep or fail. The contract is in README.md."""

from __future__ import annotations

import re
import time
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_SLEEP_S = 900  # a Lambda function lives no longer
ERROR_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,99}")


class InvalidDirective(ValueError):
    """A directive that can't be followed. The name is the contract."""


@dataclass(frozen=True)
class Failure:
    name: str
    message: str
    attempts: int | None  # how many attempts fail, from the first on; None is all

    def raise_it(self) -> NoReturn:
        # A type made on the spot: the runtime reports the type's name as the error's name.
        raise type(self.name, (Exception,), {})(self.message)


def handler(event: dict[str, Any], _context: object) -> Any:
    directives = _directives(event)
    # All are read before the first is followed, so that a bad one is found at once.
    sleep_s, failure = _sleep_s(directives.get("sleep_s")), _failure(directives.get("fail"))
    time.sleep(sleep_s)
    if failure and (failure.attempts is None or event["attempt"] <= failure.attempts):
        failure.raise_it()
    return directives.get("return", event)  # null is a value to return


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
