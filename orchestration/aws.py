"""The engine on AWS: the one place where clients are made."""

from __future__ import annotations

import threading
import time
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from orchestration.catalog import Catalog, DynamoDefinitions
from orchestration.clock import SystemChance, SystemClock
from orchestration.dead_letters import Origin, SqsDeadLetters
from orchestration.engine import Engine
from orchestration.express_runs import ExpressRuns
from orchestration.flow_runs import FlowRuns
from orchestration.flows import Flows, StepFunctionsFlows
from orchestration.queue import SqsQueue
from orchestration.runs import Runs
from orchestration.settings import FlowSettings, MachineType, Settings
from orchestration.store import PARALLEL_CALLS, DynamoStore
from orchestration.tasks import LambdaServices
from orchestration.workflow import Workflow

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 5}, max_pool_connections=2 * PARALLEL_CALLS)


def engine(settings: Settings, declared: Sequence[Workflow] = (), flows: Container[str] = ()) -> Engine:
    """Return the engine over the table and the queue of the settings; `flows` as for the Catalog."""
    table = boto3.client("dynamodb", config=CONFIG)
    return Engine(
        store=DynamoStore(table, settings.table),
        catalog=Catalog(DynamoDefinitions(table, settings.table), declared, flows),
        queue=SqsQueue(boto3.client("sqs", config=CONFIG), settings.queue_url),
        clock=SystemClock(),
        chance=SystemChance(),
        timing=settings.timing,
    )


def dead_letters(settings: Settings) -> SqsDeadLetters:
    """Return the dead letters of the queues that the settings name."""
    urls = {Origin.WORKER: settings.dead_letters_url, Origin.RECORDS: settings.failed_records_url}
    known = {origin: url for origin, url in urls.items() if url}
    return SqsDeadLetters(boto3.client("sqs", config=CONFIG), known)


def flows(settings: FlowSettings) -> StepFunctionsFlows:
    """Return the state machines of the settings."""
    client = boto3.client("stepfunctions", config=CONFIG)
    kind: MachineType = "EXPRESS" if settings.type == "EXPRESS" else "STANDARD"  # of those that it may make
    return StepFunctionsFlows(client, settings.machines, kind, settings.registration)


def flow_runs(settings: FlowSettings, machines: Flows, engine: Engine) -> Runs:
    """Return the executions of the state machines."""
    runs = FlowRuns(machines, engine.catalog, engine.store, registers=settings.registration is not None)
    if settings.type == "EXPRESS":
        return ExpressRuns(runs, lambda entry: settings.log_group(entry.name, declared=entry.source == "declared"))
    return runs


def services(settings: Settings) -> LambdaServices:
    """Return the task services, as Lambda functions."""
    return LambdaServices(_Clients().for_timeout, settings.functions, time.sleep, settings.timing.heartbeat_s)


MAX_CLIENTS = 16


class _Clients:
    """A Lambda client for each timeout, since that is a property of the client; kept, since making one is slow.

    A task whose time is running out may get any number of seconds, so only those that were used last are kept.
    """

    def __init__(self) -> None:
        self._clients: dict[float, LambdaClient] = {}
        self._lock = threading.Lock()  # sessions are not thread-safe

    def for_timeout(self, timeout_s: float) -> LambdaClient:
        with self._lock:
            if timeout_s in self._clients:
                self._clients[timeout_s] = self._clients.pop(timeout_s)  # to the end: it was used last
            else:
                # Never asked twice by itself: after a time-out or a broken connection the task may have run.
                once = Config(
                    connect_timeout=5,
                    read_timeout=timeout_s,
                    retries={"total_max_attempts": 1},
                    tcp_keepalive=True,
                    max_pool_connections=PARALLEL_CALLS,
                )
                self._clients[timeout_s] = boto3.client("lambda", config=once)
                if len(self._clients) > MAX_CLIENTS:
                    del self._clients[next(iter(self._clients))]
            return self._clients[timeout_s]
