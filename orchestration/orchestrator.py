"""The Orchestrator function: it answers requests, and does what follows from the end of a task (stream batches)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from orchestration import aws, dead_letters, metrics, payload, stream, sweeper, telemetry
from orchestration.dead_letters import DeadLetters, Origin
from orchestration.engine import Engine
from orchestration.errors import Refused
from orchestration.machines import Machines
from orchestration.model import ENGINE
from orchestration.payload import Json
from orchestration.quarantine import quarantine
from orchestration.requests import Requests
from orchestration.settings import FlowSettings, Settings
from orchestration.telemetry import logger, tracer
from orchestration.workflow import ID, Workflow

DECLARED = Path(__file__).with_name("workflows.json")
"""The definitions that the deployed program declares: packaged with this function, a JSON list."""
FLOWS = DECLARED.with_name("flows.json")
"""The names of those that it makes state machines of, likewise."""
SWEEP_S = 20
"""For how long a request begins to look at runs: whoever asked waits for a minute at most (cli/aws.py), and as long is
the letter that asked for it out of sight (dead_letters.OUT_OF_SIGHT_S). The Sweeper goes on each minute."""


@cache
def requests() -> Requests:
    """Return what this process serves with, made once."""
    settings = Settings.read(os.environ, "DEAD_LETTERS_URL", "FAILED_RECORDS_URL")
    of_flows = FlowSettings.read(os.environ)
    declared = [Workflow.from_json(d) for d in payload.parse(DECLARED.read_bytes(), what=DECLARED.name)]
    machines = payload.parse(FLOWS.read_bytes(), what=FLOWS.name)
    engine, flows = aws.engine(settings, declared, machines), aws.flows(of_flows)
    functions = {service: of_flows.functions + name for service, name in settings.functions.items()}
    return Requests(
        engine,
        frozenset(settings.functions),
        aws.dead_letters(settings),
        aws.flow_runs(of_flows, flows, engine),
        Machines(flows, engine.catalog, functions),
        ended=telemetry.run_ended,
        sweep=lambda: sweeper.sweep(engine, _until(time.monotonic() + SWEEP_S)),
    )


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: Json, context: LambdaContext) -> dict[str, Any]:
    if not isinstance(event, dict) or "Records" not in event:
        return answer(requests(), event)
    if not event["Records"]:
        return {"batchItemFailures": []}
    # In order. Of the records that are reported Lambda takes the first, and delivers all from there on once more. So
    # those after it may as well be handled now: it changes nothing that they come again, and they need not wait.
    processor = BatchProcessor(EventType.DynamoDBStreams)
    return dict(process_partial_response(event, _advance, processor, context))


def answer(served: Requests, request: Json) -> dict[str, Any]:
    """Return the answer to a request, or its refusal as {"error": {"code", "message"}}."""
    with logger.append_context_keys(**_named(request)):
        try:
            reply = served.answer(request)
        except Refused as refusal:
            logger.info("refused", extra={"code": refusal.code, "reason": str(refusal)})
            return {"error": {"code": refusal.code, "message": str(refusal)}}
        _count(request["action"], reply)
        # A run that was started without an id has got one.
        logger.info("answered", extra={"run_id": reply["run"]["run_id"]} if "run" in reply else None)
        return reply


def _named(request: Json) -> dict[str, str]:
    """Return what a log line may tell of a request that nobody has checked yet: what is an id."""
    fields = request if isinstance(request, dict) else {}
    return {
        name: value
        for name in ("action", "run_id")
        if isinstance(value := fields.get(name), str) and ID.fullmatch(value)
    }


def _count(action: str, reply: dict[str, Any]) -> None:
    """Count what a request has begun in the table, and not what it has only found. Step Functions counts its own."""
    begun = {"start": telemetry.run_started, "cancel": telemetry.run_cancel_asked, "redrive": telemetry.run_redriven}
    if action in begun and (reply.get("created") or reply.get("changed")) and reply["run"]["engine"] == ENGINE:
        begun[action](reply["run"]["workflow"])


def _advance(record: DynamoDBRecord) -> None:
    handle(requests().engine, requests().letters, record.raw_event)


def handle(engine: Engine, letters: DeadLetters, record: dict[str, Any]) -> None:
    """Do what follows from one stream record, or set it aside. After an error it is to be delivered again."""
    task: tuple[str, str] | None = None

    def put(reason: str) -> None:
        letters.put(Origin.RECORDS, dead_letters.record_body(task, reason))

    # The keys stay for the whole batch if nobody takes them away: the next record may be one without a task.
    with logger.append_context_keys(run_id=None, task_id=None), quarantine(put, metric=metrics.RECORDS_QUARANTINED):
        task = stream.task_of(record)
        if task is not None:
            logger.append_keys(run_id=task[0], task_id=task[1])
            advance(engine, *task)


def advance(engine: Engine, run_id: str, task_id: str) -> None:
    """Do what follows from the end of a task, and tell whether its run has ended by it."""
    ended = engine.advance(run_id, task_id)
    logger.info("advanced", extra={"run_ended": ended.status if ended else None})
    if ended:
        telemetry.run_ended(ended)


def _until(end: float) -> Callable[[], bool]:
    return lambda: time.monotonic() < end
