"""The Orchestrator function: it answers requests, and does what follows from the end of a task (stream batches)."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from orchestration import aws, payload, stream, telemetry
from orchestration.engine import Engine
from orchestration.errors import Refused
from orchestration.payload import Json
from orchestration.requests import Requests
from orchestration.settings import Settings
from orchestration.telemetry import logger, tracer
from orchestration.workflow import ID, Workflow

DECLARED = Path(__file__).with_name("workflows.json")
"""The definitions that the deployed program declares: packaged with this function, a JSON list."""


@cache
def requests() -> Requests:
    """Return what this process serves with, made once."""
    settings = Settings.read(os.environ)
    declared = [Workflow.from_json(d) for d in payload.parse(DECLARED.read_bytes(), what=DECLARED.name)]
    return Requests(aws.engine(settings, declared), frozenset(settings.functions))


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: Json, context: LambdaContext) -> dict[str, Any]:
    if isinstance(event, dict) and "Records" in event:
        # In order; a failed record is reported, and those after it are seen again, which changes nothing.
        processor = BatchProcessor(EventType.DynamoDBStreams)
        return dict(process_partial_response(event, _advance, processor, context))
    return answer(requests(), event)


def answer(served: Requests, request: Json) -> dict[str, Any]:
    """Return the answer to a request, or its refusal as {"error": {"code", "message"}}."""
    with logger.append_context_keys(**_named(request)):
        try:
            reply = served.answer(request)
        except Refused as refusal:
            logger.info("refused", extra={"code": refusal.code, "reason": str(refusal)})
            return {"error": {"code": refusal.code, "message": str(refusal)}}
        if reply.get("created") and "run" in reply:
            telemetry.run_started(reply["run"]["workflow"])
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


def _advance(record: DynamoDBRecord) -> None:
    try:
        advance(requests().engine, record.raw_event)
    except Exception:
        logger.exception("failed; the record will be delivered again")
        raise


def advance(engine: Engine, record: dict[str, Any]) -> None:
    """Do what follows from one stream record."""
    task = stream.task_of(record)
    if task is None:
        return
    run_id, task_id = task
    with logger.append_context_keys(run_id=run_id, task_id=task_id):
        ended = engine.advance(run_id, task_id)
        logger.info("advanced", extra={"run_ended": ended.status if ended else None})
        if ended:
            telemetry.run_ended(ended)
