"""The local stack, brought up for a command that needs it."""

from __future__ import annotations

from collections.abc import Callable

from cli.deployment import DEFAULT_STACK
from local import deployment


def bring_up(say: Callable[[str], None]) -> None:
    """Have the local stack up, as the program and its services are now; `say` hears of each step. Raises LocalError."""
    deployment.up(DEFAULT_STACK, on_event=lambda event: say(_line(event)))


def _line(event: deployment.Event) -> str:
    return event.text if event.step is None else f"{event.step.operation} {event.step.name}"
