"""What deploying tells its caller: while it happens, and in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.paths import Project
from local.plan import Operation, Step, short_type
from local.server import ACCESS_KEY, SECRET_KEY, Emulator
from local.state import Phase, State


@dataclass(frozen=True)
class Deployment:
    """A stack that is up, and how to reach it. `secrets` names the outputs that must not be shown."""

    stack: str
    endpoint_url: str
    region: str
    outputs: dict[str, Any]
    access_key: str
    secret_key: str
    secrets: frozenset[str] = frozenset()
    complete: bool = True


_DONE = {
    Operation.CREATE: "created",
    Operation.UPDATE: "updated",
    Operation.REPLACE: "replaced",
    Operation.DELETE: "deleted",
    Operation.SAME: "kept",
}


@dataclass(frozen=True)
class Event:
    """Something to tell the user while it happens: a phase (`text`), or a step of the deployment."""

    text: str = ""
    step: Step | None = None

    def __str__(self) -> str:
        if self.step is None:
            return self.text
        return f"{_DONE[self.step.operation]} {short_type(self.step.type)} {self.step.name}"


@dataclass(frozen=True)
class Result:
    """What a command did, or in a preview would do."""

    stack: str
    steps: tuple[Step, ...]
    outputs: dict[str, Any]
    secrets: frozenset[str]
    duration_s: float
    deployment: Deployment | None = None

    @property
    def changes(self) -> int:
        return sum(step.operation is not Operation.SAME for step in self.steps)


OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """For callers that show nothing."""


def deployment_of(where: Project, emulator: Emulator, state: State) -> Deployment:
    return Deployment(
        stack=where.stack,
        endpoint_url=emulator.endpoint_url,
        region=emulator.region,
        outputs={name: item["value"] for name, item in state.outputs.items()},
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        secrets=frozenset(name for name, item in state.outputs.items() if item["secret"]),
        complete=state.phase is Phase.COMPLETE,
    )
