"""The Worker function: it claims the tasks of a batch of messages, runs them side by side, records their results."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from orchestration import aws, metrics, telemetry
from orchestration.dead_letters import DeadLetters, Origin
from orchestration.engine import Engine, Executed
from orchestration.quarantine import quarantine
from orchestration.queue import Message
from orchestration.settings import Settings
from orchestration.tasks import TaskServices
from orchestration.telemetry import logger, tracer

THREADS = ThreadPoolExecutor(max_workers=10, thread_name_prefix="task")
"""One for each message of a batch, at most ten of which the queue sends: a worker waits for many tasks at a time."""


@cache
def ports() -> tuple[Engine, TaskServices, DeadLetters]:
    """Return what this process works with, made once."""
    settings = Settings.read(os.environ, "DEAD_LETTERS_URL")
    return aws.engine(settings), aws.services(settings), aws.dead_letters(settings)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    processor = AsyncBatchProcessor(EventType.SQS)
    return dict(async_process_partial_response(event, _execute, processor, context))


async def _execute(record: SQSRecord) -> None:
    await asyncio.get_running_loop().run_in_executor(THREADS, work, *ports(), record.body)


def work(engine: Engine, services: TaskServices, letters: DeadLetters, body: str) -> None:
    """Do what one message asks for, or set it aside. An error leaves it in the queue, to be delivered again."""
    try:
        with quarantine(lambda reason: letters.put(Origin.WORKER, body, reason), metric=metrics.MESSAGES_QUARANTINED):
            message = Message.parse(body)
            logger.thread_safe_append_keys(run_id=message.run_id, task_id=message.task_id)
            execute(engine, services, message)
    finally:
        logger.thread_safe_clear_keys()


def execute(engine: Engine, services: TaskServices, message: Message) -> None:
    """Run the task of one message, and tell how that went."""
    outcome = engine.execute(message, services)
    if isinstance(outcome, Executed):
        task = outcome.task
        error = task.error.name if task.error else None
        logger.info("executed", extra={"status": task.status, "attempt": outcome.claimed.tries, "error": error})
        telemetry.attempt_ended(outcome.service, outcome.claimed, task)
    else:
        logger.info("skipped", extra={"reason": outcome.reason})
