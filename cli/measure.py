"""Run a workflow on both engines by turns, and note what each run took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cli.client import Response
from cli.comparison import SUCCEEDED, Comparison, Measured, size_of
from cli.errors import BadInput
from cli.execution import Session
from cli.model import Run, run_of
from cli.options import DYNAMODB, ENGINES, STEPFUNCTIONS
from cli.run_id import new_run_id
from cli.usage import Payloads, Usage, of_dynamodb, of_stepfunctions
from orchestration.payload import Json

MOST_OUTPUTS = 100
"""Of how many tasks the outputs are asked for, to know their sizes; the others are taken to be as large as the mean."""


@dataclass(frozen=True)
class Plan:
    """What is to be run, as the deployment has it now."""

    workflow: str
    version: str
    transitions: int
    barriers: int
    registered: bool


def plan(session: Session, workflow: str) -> Plan:
    """Return what a comparison needs to know before it starts anything. Raises BadInput or Refused."""
    compiled = session.client.asl(workflow)
    known = session.client.workflows()
    if STEPFUNCTIONS in (known.get("unrecorded") or ()):
        raise BadInput(
            "its state machines are EXPRESS (its setting flowType), and nothing is kept of their runs to be compared"
        )
    entry: Response = next((e for e in known["workflows"] if e.get("name") == workflow), {})
    if STEPFUNCTIONS not in (entry.get("engines") or ()):
        mend = f"make it with: orchestra register FILE --engine {STEPFUNCTIONS}{session.flags}"
        if entry.get("source") == "declared":
            mend = "the deployed program makes none of it (its setting flowType)"
        raise BadInput(f"WORKFLOW: {workflow!r} has no state machine of its version; {mend}")
    return Plan(
        workflow=workflow,
        version=str(compiled.get("version") or ""),
        transitions=int(compiled["transitions"]),
        barriers=len(compiled["barriers"]),
        registered=entry.get("source") == "registered",
    )


def measure(
    session: Session, planned: Plan, run_input: Json, runs: int, token: Callable[[], str], tell: Callable[[str], None]
) -> Comparison:
    """Run it `runs` times on each engine, by turns, so that neither has the quieter hour; stop at the first failure."""
    ended: dict[str, list[tuple[Run, Json]]] = {engine: [] for engine in ENGINES}
    for turn in range(runs):
        for engine in ENGINES if turn % 2 == 0 else reversed(ENGINES):
            tell(f"{turn + 1} of {runs} on {engine}")
            on = replace(session, engine=engine)
            run_id = new_run_id(planned.workflow, session.clock.now_ms(), token())
            described = on.wait(on.start(planned.workflow, run_input, run_id))
            ended[engine].append((run_of(described), on.output_of(described)))
            if described["status"] != SUCCEEDED:
                return _comparison(session, planned, ended, None)
    tell("reading the sizes of the outputs")
    first, _ = ended[DYNAMODB][0]
    asked = first.tasks[:MOST_OUTPUTS]
    outputs = {task.id: session.client.output(first.run_id, task.id, DYNAMODB) for task in asked}
    sizes = {task_id: size_of(answer["output"]) for task_id, answer in outputs.items()}
    return _comparison(session, planned, ended, Payloads(size_of(run_input), sizes))


def _comparison(
    session: Session, planned: Plan, ended: dict[str, list[tuple[Run, Json]]], payloads: Payloads | None
) -> Comparison:
    sides = {
        engine: tuple(
            Measured(run, output, None if payloads is None else _usage(engine, run, planned, payloads))
            for run, output in runs
        )
        for engine, runs in ended.items()
    }
    return Comparison(planned.workflow, planned.version, sides, planned.barriers, session.client.local)


def _usage(engine: str, run: Run, planned: Plan, payloads: Payloads) -> Usage:
    if engine == STEPFUNCTIONS:
        return of_stepfunctions(run, planned.transitions, registered=planned.registered)
    return of_dynamodb(run, payloads, registered=planned.registered)
