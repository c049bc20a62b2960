"""Decides what is to be done with each resource. Pure: recorded and wanted properties in, an operation out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

UNKNOWN = "$unknown"  # a property that only deploying can tell


class Operation(StrEnum):
    """What happens to a resource; the order is the one in which Pulumi counts them."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    SAME = "same"


SYMBOLS = {
    Operation.CREATE: "+",
    Operation.UPDATE: "~",
    Operation.REPLACE: "+-",
    Operation.DELETE: "-",
    Operation.SAME: "",
}


@dataclass(frozen=True)
class Decision:
    """An operation, and the names of the properties that call for it."""

    operation: Operation
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """An operation on one resource, as it is shown."""

    operation: Operation
    urn: str
    type: str
    name: str
    changed: tuple[str, ...] = ()


def decide(
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any],
    replacing: Collection[str] = (),
    ignored: Collection[str] = (),
) -> Decision:
    """Compare canonical properties. A change of one of `replacing` needs a new resource."""
    if old is None:
        return Decision(Operation.CREATE)
    changed = tuple(
        name for name in sorted(old.keys() | new.keys()) if name not in ignored and old.get(name) != new.get(name)
    )
    if not changed:
        return Decision(Operation.SAME)
    if "*" in replacing or set(changed) & set(replacing):
        return Decision(Operation.REPLACE, changed)
    return Decision(Operation.UPDATE, changed)


def generated_name(logical: str, limit: int, seed: str) -> str:
    """Return the logical name with seven hexadecimal digits, as Pulumi names resources, cut to the limit."""
    suffix = hashlib.sha256(seed.encode()).hexdigest()[:7]
    return f"{logical[: limit - len(suffix) - 1]}-{suffix}"


def short_type(type_: str) -> str:
    """Return a type as Pulumi prints it: `aws:lambda/function:Function` is `aws:lambda:Function`."""
    package, module, name = type_.split(":", 2)
    return f"{package}:{module.split('/', maxsplit=1)[0]}:{name}"


def deletion_order(dependencies: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the keys so that each comes before those that it depends on; dependencies elsewhere do not count."""
    order: list[str] = []
    seen: set[str] = set()
    for start in sorted(dependencies):
        stack = [(start, False)]
        while stack:
            key, done = stack.pop()
            if done:
                order.append(key)
            elif key not in seen and key in dependencies:
                seen.add(key)
                stack.append((key, True))
                stack.extend((other, False) for other in sorted(dependencies[key]))
    return order[::-1]


def count(steps: Iterable[Step]) -> dict[Operation, int]:
    totals = dict.fromkeys(Operation, 0)
    for step in steps:
        totals[step.operation] += 1
    return totals
