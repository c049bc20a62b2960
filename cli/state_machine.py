"""A compiled state machine in words: how large it is, where it gives up parallelism, what differs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from cli.client import Response
from cli.text import clean, counted
from orchestration.asl import MAX_BYTES
from orchestration.payload import Json

_MOST_NAMES = 4


def summary(found: Response) -> list[Text]:
    """Return what the answer to `asl` says beside the definition."""
    states = dict(_states(found["definition"]))
    parallel = sum(state.get("Type") == "Parallel" for state in states.values())
    shape = ", ".join(
        counted(count, thing)
        for count, thing in ((len(states) - parallel, "task"), (parallel, "Parallel state"))
        if count
    )
    return [
        Text.assemble((clean(found.get("name")), "bold"), ("  version " + clean(found.get("version"))[:12], "dim")),
        Text(f"{counted(found['transitions'], 'transition')} a run without a retry: {shape}"),
        Text(f"{found['bytes']:,} bytes of {MAX_BYTES:,}"),
        *remarks(found),
    ]


def remarks(found: Response) -> list[Text]:
    """Return a line for each barrier and note; without any, one that says that nothing was given up."""
    barriers = found.get("barriers") or []
    lines = [line for barrier in barriers for line in _barrier(barrier)]
    lines += _cost(found.get("longest_chain"), barriers)
    if not barriers:
        lines.append(Text("No parallelism is given up", "dim"))
    return lines + [Text.assemble(("differs: ", "yellow"), clean(note)) for note in found.get("notes") or []]


def _barrier(barrier: Mapping[str, Any]) -> Iterator[Text]:
    first, then = barrier["first"], barrier["then"]
    starts = "starts" if len(then) == 1 else "start"
    ended = "has ended" if len(first) == 1 else "have all ended"
    yield Text.assemble(("barrier: ", "yellow"), f"{_named(then)} {starts} when {_named(first)} {ended}")
    waits: dict[str, list[str]] = {}
    for task, awaited in barrier["waits"]:
        waits.setdefault(task, []).append(awaited)
    shown = list(waits.items())[:_MOST_NAMES]
    for task, awaited in shown:
        yield Text(f"  {clean(task)} waits for {_named(awaited)} too, which its definition does not ask for")
    if len(waits) > len(shown):
        yield Text(f"  and so do {counted(len(waits) - len(shown), 'more task')}", "dim")


def _cost(chain: Json, barriers: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """Yield what the barriers cost, as far as it can be said: no run is faster than its longest chain of tasks."""
    costs = []
    if lost := sum(barrier.get("lost", 0) for barrier in barriers):
        costs.append(f"{counted(lost, 'pair')} of tasks can no longer run at the same time")
    if barriers and isinstance(chain, dict):
        asked, built = chain["workflow"], chain["machine"]
        longer = f"is {built} instead of {asked}" if built > asked else f"stays {asked}"
        costs.append(f"the longest chain of tasks {longer}")
    if costs:
        yield Text.assemble(("costs: ", "yellow"), "; ".join(costs))


def _states(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every state, those within branches included."""
    machines = [definition]
    while machines:
        for name, state in machines.pop().get("States", {}).items():
            yield name, state
            machines += state.get("Branches", ())


def _named(names: Sequence[str]) -> str:
    shown = [clean(name) for name in names[:_MOST_NAMES]]
    rest = len(names) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest:,} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
