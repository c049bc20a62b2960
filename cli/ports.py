"""What the commands reach the outside through. Tests give their own as the context's object."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from cli.client import Client
from cli.deployment import Choice
from cli.run_id import new_token

if TYPE_CHECKING:
    from cli.meter import Meter


@dataclass(frozen=True)
class Clock:
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    sleep: Callable[[float], None] = time.sleep


def connect(choice: Choice) -> Client:
    """Return a client of the chosen deployment. Raises CliError."""
    from cli import aws, deployment  # noqa: PLC0415 - boto3 takes half a second, which --help need not

    target = deployment.find(choice)
    return Client(aws.sender(target), local=target.local)


def meter(choice: Choice) -> Meter:
    """Return what reads the metrics of the chosen deployment. Raises CliError."""
    from cli import deployment, meter  # noqa: PLC0415 - as above

    return meter.meter(deployment.find(choice))


def bring_up(say: Callable[[str], None]) -> None:
    """Have the local stack up. Raises CliError."""
    from cli import stack  # noqa: PLC0415 - the local target's imports are heavy

    stack.bring_up(say)


@dataclass(frozen=True)
class Ports:
    connect: Callable[[Choice], Client] = connect
    meter: Callable[[Choice], Meter] = meter
    bring_up: Callable[[Callable[[str], None]], None] = bring_up
    clock: Clock = field(default_factory=Clock)
    token: Callable[[], str] = new_token


def ports(ctx: typer.Context) -> Ports:
    return ctx.obj if isinstance(ctx.obj, Ports) else Ports()
