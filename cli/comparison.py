"""What one workflow took on each engine, side by side: what was measured, what was modelled, what it costs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median

from rich.text import Text

from cli.grid import Column
from cli.look import style
from cli.model import Run
from cli.options import DYNAMODB, STEPFUNCTIONS
from cli.prices import AS_OF, PRICES, REGION, Unit, usd_per_million
from cli.text import clean, counted, duration
from cli.usage import Usage
from orchestration import payload
from orchestration.payload import Json

SUCCEEDED = "SUCCEEDED"
_COLUMNS = (
    Column("", keep=0, least=17),
    Column("DYNAMODB", keep=1, right=True),
    Column("$/M RUNS", keep=3, right=True),
    Column("STEPFUNCTIONS", keep=2, right=True),
    Column("$/M RUNS", keep=4, right=True),
)


@dataclass(frozen=True)
class Measured:
    """One run that has ended; without an output and a usage, if it has not SUCCEEDED."""

    run: Run
    output: Json = None
    usage: Usage | None = None

    @property
    def wall_ms(self) -> int:
        return self.run.duration_ms(0)


@dataclass(frozen=True)
class Comparison:
    workflow: str
    version: str
    sides: Mapping[str, Sequence[Measured]]
    """The runs of each engine."""

    barriers: int = 0
    """Where the state machine gives up parallelism."""

    local: bool = False

    @property
    def ended_badly(self) -> list[Run]:
        return [m.run for runs in self.sides.values() for m in runs if m.run.status != SUCCEEDED]

    @property
    def difference(self) -> str | None:
        """Say where the first output is that differs from the first of all, or None if all are equal."""
        done = [m for runs in self.sides.values() for m in runs if m.run.status == SUCCEEDED]
        for other in done[1:]:
            where = first_difference(done[0].output, other.output)
            if where is not None:
                return f"{where} in {clean(done[0].run.run_id)} and {clean(other.run.run_id)}"
        return None


def overhead_ms(run: Run) -> int:
    """Return how much of the run's time no task ran. Of a task that was tried again only the last attempt is known."""
    begun, ended = run.begun_at, run.finished_at
    if begun is None or ended is None:
        return 0
    spans = sorted(
        (max(begun, task.started_at), min(ended, task.finished_at))
        for task in run.tasks
        if task.started_at is not None and task.finished_at is not None
    )
    idle, until = 0, begun
    for start, end in spans:
        idle += max(0, start - until)
        until = max(until, end)
    return idle + max(0, ended - until)


def first_difference(one: Json, other: Json, where: str = "$") -> str | None:
    """Return the path of the first value that is not the same in both. Numbers are equal if their values are."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        steps = ((key in one and key in other, one.get(key), other.get(key), f".{clean(key)[:40]}") for key in keys)
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return where
        steps = ((True, a, b, f"[{i}]") for i, (a, b) in enumerate(zip(one, other, strict=True)))
    else:
        return None if one == other and isinstance(one, bool) == isinstance(other, bool) else where
    for both, a, b, step in steps:
        found = first_difference(a, b, where + step) if both else where + step
        if found is not None:
            return found
    return None


def document(found: Comparison) -> dict[str, Json]:
    """Return what `compare --json` prints."""
    return {
        "workflow": found.workflow,
        "version": found.version,
        "equal": not found.ended_badly and found.difference is None,
        "difference": found.difference,
        "engines": {engine: _side(runs) for engine, runs in found.sides.items()},
        "barriers": found.barriers,
        "local": found.local,
        "prices": {
            "region": REGION,
            "as_of": AS_OF,
            "currency": "USD",
            "units": {unit.value: asdict(price) for unit, price in PRICES.items()},
        },
    }


def table(found: Comparison) -> tuple[Sequence[Column], list[Sequence[Text]]]:
    """Return the columns and rows that stand side by side. Every run of both engines must have SUCCEEDED."""
    sides = [found.sides[engine] for engine in (DYNAMODB, STEPFUNCTIONS)]
    rows: list[Sequence[Text]] = [
        _times("wall time, median", [median(m.wall_ms for m in runs) for runs in sides]),
        _times("  least", [min(m.wall_ms for m in runs) for runs in sides]),
        _times("  most", [max(m.wall_ms for m in runs) for runs in sides]),
        _times("overhead, median", [median(overhead_ms(m.run) for m in runs) for runs in sides]),
    ]
    units = [_mean_units(runs) for runs in sides]
    for unit in Unit:
        cells = [Text(unit.value)]
        for counts in units:
            used = counts[unit]
            cells += [
                Text(_count(used), "" if used else "dim"),
                Text(_usd(usd_per_million(unit, used)) if used else ""),
            ]
        rows.append(cells)
    one, other = (Text(f"${_usd(_total(counts))}", "bold") for counts in units)
    rows.append((Text("a million runs", "bold"), one, Text(), other, Text()))
    return _COLUMNS, rows


def verdict(found: Comparison) -> Text:
    """Return one line: how many runs there were, and whether all outputs are equal."""
    runs = counted(len(next(iter(found.sides.values()))), "run")
    difference = found.difference
    equal = ("outputs equal", style("SUCCEEDED")) if difference is None else ("outputs differ", style("FAILED"))
    return Text.assemble((clean(found.workflow), "bold"), f"  {runs} on each engine, all SUCCEEDED, ", equal)


def remarks(found: Comparison) -> list[str]:
    """Return what one must know to read the table, a line each."""
    measured = "Wall time and overhead (while no task runs) are measured"
    return [
        *([f"{measured}, here on an emulator:", "they are not the times of AWS."] if found.local else [f"{measured}."]),
        "Units and prices are modelled from the graph, attempts, times and sizes, for a",
        "deployment with little to do; under load dynamodb is cheaper. The services' own",
        "cost is the same on both, and left out.",
        f"Prices: {REGION}, {AS_OF}, no free tiers; --json has the source of each.",
        *_given_up(found),
    ]


def _given_up(found: Comparison) -> list[str]:
    if not found.barriers:
        return []
    places = counted(found.barriers, "barrier")
    return [f"Step Functions waits at {places} that the workflow has not: orchestra asl {clean(found.workflow)}"]


def _side(runs: Sequence[Measured]) -> dict[str, Json]:
    done = [m for m in runs if m.usage is not None]
    side: dict[str, Json] = {
        "runs": [
            {
                "run_id": m.run.run_id,
                "status": m.run.status,
                "error": None if m.run.error is None else asdict(m.run.error),
                "wall_ms": m.wall_ms,
                "overhead_ms": overhead_ms(m.run),
            }
            for m in runs
        ]
    }
    if done:
        units = _mean_units(done)
        requests = [m.usage.requests for m in done if m.usage is not None]
        names = sorted({name for each in requests for name in each})
        side |= {
            "wall_ms": _figures([m.wall_ms for m in done]),
            "overhead_ms": _figures([overhead_ms(m.run) for m in done]),
            "units": {unit.value: round(count, 6) for unit, count in units.items()},
            "requests": {name: round(fmean(each[name] for each in requests), 2) for name in names},
            "usd_per_million_runs": {
                **{unit.value: round(usd_per_million(unit, count), 4) for unit, count in units.items()},
                "total": round(_total(units), 4),
            },
        }
    return side


def _figures(values: Sequence[float]) -> dict[str, float]:
    return {"median": median(values), "min": min(values), "max": max(values)}


def _mean_units(runs: Sequence[Measured]) -> dict[Unit, float]:
    used = [m.usage for m in runs if m.usage is not None]
    return {unit: fmean(each.units[unit] for each in used) for unit in Unit}


def _total(units: dict[Unit, float]) -> float:
    return sum(usd_per_million(unit, count) for unit, count in units.items())


def _times(name: str, values: Sequence[float]) -> Sequence[Text]:
    one, other = (Text(duration(value)) for value in values)
    return (Text(name), one, Text(), other, Text())


def _count(used: float) -> str:
    if not used:
        return "-"
    if used == int(used):
        return f"{int(used):,}"
    return f"{used:,.1f}" if used >= 10 else f"{used:.3g}"


def _usd(amount: float) -> str:
    return f"{amount:,.2f}"


def size_of(value: Json) -> int:
    """Return how many bytes a payload takes as it is passed on."""
    return len(payload.compact(value).encode())
