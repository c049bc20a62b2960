"""`orchestra metrics`: what the functions have counted and measured."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from cli.deployment import Choice
from cli.errors import EXIT_OK
from cli.grid import Column, Row
from cli.options import Arn, JsonFlag, Region, Stack
from cli.ports import ports
from cli.readings import Reading, span_s
from cli.terminal import terminal
from cli.text import clean, duration
from orchestration.metrics import Kind

_METRICS = (
    Column("METRIC", keep=0),
    Column("OF", keep=1, most=40),
    Column("VALUES", keep=4, right=True),
    Column("SUM", keep=2, right=True),
    Column("AVERAGE", keep=3, right=True),
    Column("MAXIMUM", keep=5, right=True),
)


def metrics(
    ctx: typer.Context,
    *,
    since: Annotated[str, typer.Option(metavar="SPAN", help="How far back: 90s, 15m, 2h or 7d; at most 14d.")] = "15m",
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Show what the functions have counted and measured lately: runs, attempts, waits, repairs.

    On AWS it is read in CloudWatch, with your own credentials: they need lambda:GetFunctionConfiguration,
    cloudwatch:ListMetrics and cloudwatch:GetMetricData, and three metrics are requested for each line. CloudWatch is a
    minute or two late. On the local stack the same numbers are read in the functions' logs.

    Step Functions counts its own runs, in AWS/States.

    With --json the document is {"namespace", "source", "since", "until", "metrics": [{"name", "dimensions", "unit",
    "samples", "sum", "average", "maximum"}]}.
    """
    seconds = span_s(since)
    outside = ports(ctx)
    until_ms = outside.clock.now_ms()
    since_ms = until_ms - seconds * 1000
    found = outside.meter(Choice(stack, orchestrator_arn, region))(since_ms, until_ms)
    screen = terminal(as_json=as_json)
    if as_json:
        documents = [reading.document() for reading in found.readings]
        times = {"since": since_ms, "until": until_ms}
        screen.answer({"namespace": found.namespace, "source": found.source, **times, "metrics": documents})
    elif found.readings:
        screen.say_table(_METRICS, [_cells(reading) for reading in found.readings])
    else:
        screen.say(f"Nothing was counted in the last {since}.")
    return EXIT_OK


def _cells(reading: Reading) -> Row:
    shown = duration if reading.kind is Kind.DURATION else _number
    counted = reading.kind is Kind.COUNTER
    return (
        Text(clean(reading.name), "cyan"),
        Text(clean(", ".join(f"{name} {value}" for name, value in reading.dimensions.items()))),
        Text(_number(reading.samples)),
        Text(_number(reading.total) if counted else ""),
        Text("" if counted else shown(reading.average)),
        Text("" if counted else shown(reading.maximum)),
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
