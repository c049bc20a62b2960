"""AWS for the tests of one function's adapters: moto, in this process, with nothing of the machine's own account."""

from __future__ import annotations

import copy
import io
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, settings
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend

from orchestration import aws, dead_letters, orchestrator, sweeper, telemetry, worker
from tests.emulator import emulator
from tests.support import shapes
from tests.support.deployed import QUEUES, TABLE, Clock, System
from tests.support.memory import FakeServices
from tests.support.table import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["emulator"]  # a fixture

settings.register_profile(
    "orchestra",
    max_examples=60,
    deadline=None,  # two cores are shared, and a slow example is no failure
    derandomize=bool(os.environ.get("CI")),
    # The fixtures that property tests use are not changed by an example.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("orchestra")


@cache
def _session() -> boto3.Session:
    """Return the session of every test: it keeps the service models, which take long to read, and nothing else."""
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")


@pytest.fixture
def aws_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account of moto's, and an environment that knows of no other."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    with mock_aws():
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", _session())
        yield


@pytest.fixture
def client(aws_account: None) -> Callable[..., Any]:
    """Make a client of a service, configured as the engine's own."""

    def make(service: str, config: Config = aws.CONFIG) -> Any:
        return boto3.client(service, config=config)  # type: ignore[call-overload]

    return make


@pytest.fixture
def images() -> list[Mapping[str, Any]]:
    """Every item that is written to the table of a test, in the order of the writes: what its stream would tell.

    moto has streams, but an update that creates an item comes out of them with its key only.
    """
    return []


@pytest.fixture
def dynamodb(
    client: Callable[..., Any], images: list[Mapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> DynamoDBClient:
    """A client of an account that has the table."""
    # moto checks a condition and then writes, in two steps between which another thread may write; DynamoDB does not.
    one_at_a_time = threading.RLock()
    for name in ("put_item", "update_item", "delete_item"):
        monkeypatch.setattr(DynamoDBBackend, name, _locked(one_at_a_time, getattr(DynamoDBBackend, name), images))
    made: DynamoDBClient = client("dynamodb")
    create_table(made, TABLE)
    return made


@pytest.fixture
def system(
    dynamodb: DynamoDBClient,
    images: list[Mapping[str, Any]],
    client: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[System]:
    """The functions, as they are deployed with the reference workflow; only the task services are in memory."""
    sqs = client("sqs")
    declared = tmp_path / "workflows.json"
    declared.write_text(json.dumps([shapes.diamond().to_json()]), encoding="utf-8")
    services = FakeServices()
    log = io.StringIO()
    names = {name: f"fn-{name}" for name in ("a", "b1", "b2", "b3", "c")}
    for name, value in {
        "TABLE_NAME": TABLE,
        **{variable: sqs.create_queue(QueueName=name)["QueueUrl"] for variable, name in QUEUES.items()},
        "SERVICES": json.dumps(names),
        "FLOW_PREFIX": "orchestra-test-",
        "FLOW_TYPE": "STANDARD",
        "FUNCTION_ARN_PREFIX": "arn:aws:lambda:us-east-1:123456789012:function:",
        "STATE_MACHINE_ARN_PREFIX": "arn:aws:states:us-east-1:123456789012:stateMachine:orchestra-test-",
        "POWERTOOLS_SERVICE_NAME": "engine",
        "POWERTOOLS_METRICS_NAMESPACE": "Orchestra",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(orchestrator, "DECLARED", declared)
    flows = declared.with_name("flows.json")
    flows.write_text(json.dumps([shapes.diamond().name]), encoding="utf-8")
    monkeypatch.setattr(orchestrator, "FLOWS", flows)
    clock = Clock()
    monkeypatch.setattr(aws, "services", lambda settings: services)
    monkeypatch.setattr(aws, "SystemClock", lambda: clock)
    monkeypatch.setattr(dead_letters, "WAIT_S", 0)
    monkeypatch.setattr(telemetry.logger.registered_handler, "stream", log)
    telemetry.logger.setLevel("INFO")
    made = (orchestrator.requests, worker.ports, sweeper.engine)
    for ports in made:
        ports.cache_clear()
    yield System(client, services, clock, images, lambda: _taken(log) + capsys.readouterr().out)
    for ports in made:
        ports.cache_clear()


def _locked(lock: threading.RLock, call: Callable[..., Any], images: list[Mapping[str, Any]]) -> Callable[..., Any]:
    def locked(*args: Any, **options: Any) -> Any:
        with lock:
            item = call(*args, **options)
            if call.__name__ != "delete_item":
                images.append(copy.deepcopy(item.to_json()["Attributes"]))
            return item

    return locked


def _taken(stream: io.StringIO) -> str:
    """Return what is in a stream, and empty it."""
    text = stream.getvalue()
    stream.seek(0)
    stream.truncate()
    return text
