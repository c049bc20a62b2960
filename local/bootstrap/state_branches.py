# ruff: noqa: INP001 - part of the emulator's program, no module of this package
"""Where an execution stands: its branches, and the state that each of them is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from local.bootstrap.state_errors import Retriers
from local.bootstrap.state_support import State
from local.bootstrap.state_values import Json

Position: TypeAlias = dict[str, Json]
"""Of a branch: "last", its last event, and either its "output", or the "state" that it is in, with what was "given" to
it and the "variables" of the branch. Once the state is entered, "entered_at", "entered_id", and "before_id", the event
before that; then "tries", how often each retrier was used, and "attempt", whether one is under way."""
Positions: TypeAlias = dict[str, Position]
"""By the key of the branch. That of the execution itself is empty; what is within a branch begins with its key."""

SEPARATOR = "\x1f"  # no name of a state holds it


def afresh(positions: Positions) -> Positions:
    """Return the positions that a redrive begins with: from the same states, whose attempts are counted anew.

    What happens next follows the event that entered the state, whatever has followed it before.
    """
    counts = {"tries", "attempt"}
    kept = {key: {name: value for name, value in at.items() if name not in counts} for key, at in positions.items()}
    return {key: {**at, "last": at.get("entered_id", at["last"])} for key, at in kept.items()}


@dataclass(eq=False)
class Branch:
    key: str
    states: Mapping[str, State]
    position: Position
    outer: Branch | None = None
    inner: list[Branch] = field(default_factory=list)
    given_up: bool = False

    def is_given_up(self) -> bool:
        return self.given_up or (self.outer is not None and self.outer.is_given_up())

    def variables(self) -> dict[str, Json]:
        """Return what is visible here: the own variables and those of the branches around, as they are now."""
        outer = self.outer.variables() if self.outer else {}
        return {**outer, **self.position.get("variables", {})}


@dataclass
class Visit:
    """One stay in a state, with all its attempts."""

    branch: Branch
    name: str
    state: State
    given: Json
    retriers: Retriers

    @property
    def key(self) -> str:
        """Return what the keys of all branches within the state begin with."""
        return f"{self.branch.key}{self.name}{SEPARATOR}"

    def key_of(self, number: int) -> str:
        """Return the key of a branch of the state."""
        return f"{self.key}{number}{SEPARATOR}"
