"""The model of what a run is billed for, against what the engine does: every request of a whole run is counted."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.client import BaseClient

from cli import usage
from cli.comparison import size_of
from cli.model import Run, run_of
from cli.prices import AS_OF, PRICES, Unit, usd_per_million
from cli.usage import Payloads, of_dynamodb, of_stepfunctions
from orchestration.model import Handoff
from orchestration.payload import Json
from orchestration.workflow import Retry, Workflow
from tests.cli.fake import ABC_MACHINE, described, done, task
from tests.orchestration.conftest import aws_account, client, dynamodb, images, system
from tests.support import shapes
from tests.support.behaviour import failing_times
from tests.support.deployed import System

__all__ = ["aws_account", "client", "dynamodb", "images", "system"]  # fixtures

RUN_ID = "shape-20261126-053912-x7k2q9"
TABLE_WRITES = {"PutItem", "UpdateItem"}


class Spied:
    """The requests of one run, and what they are billed, by DynamoDB's rules for the items as they are stored.

    Source: docs.aws.amazon.com/amazondynamodb, "Capacity unit consumption" (2026).
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.requests: Counter[str] = Counter()
        self.reads = 0
        self.messages = 0
        self.watching = True

    def stop(self) -> None:
        self.watching = False

    def see(self, operation: str, params: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        match operation:
            case "GetItem":
                self.reads += _read_units(item_bytes(reply.get("Item", {})))
            case "BatchGetItem":
                asked = sum(len(table["Keys"]) for table in params["RequestItems"].values())
                found = [item for items in reply["Responses"].values() for item in items]
                self.reads += sum(_read_units(item_bytes(item)) for item in found) + asked - len(found)
            case "Query":
                self.reads += _read_units(sum(item_bytes(item) for item in reply["Items"]))
            case "SendMessageBatch":
                self.messages += len(params["Entries"])


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> Spied:
    found = Spied()
    name = "_make_api_call"  # what every method of every client calls
    call = getattr(BaseClient, name)

    def calling(self: BaseClient, operation: str, params: Mapping[str, Any]) -> Any:
        if found.watching:
            found.requests[operation] += 1  # also one that is refused
        reply = call(self, operation, params)
        if found.watching:
            found.see(operation, params, reply)
        return reply

    monkeypatch.setattr(BaseClient, name, calling)
    return found


def item_bytes(item: Mapping[str, Any]) -> int:
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return (len(content) + 1) // 2 + 1
        case "NS":
            return sum((len(number) + 1) // 2 + 1 for number in content)
        case "M":
            return 3 + sum(len(name.encode()) + _value_bytes(inner) + 1 for name, inner in content.items())
    raise AssertionError(kind)


def _read_units(size: int) -> int:
    return max(1, math.ceil(size / 4096))


def _write_units(image: Mapping[str, Any]) -> int:
    """Return what a write of this item was billed, its indexes included."""
    units = math.ceil(item_bytes(image) / 1024)
    if image["sk"] != {"S": "RUN"}:
        return units
    created, open_ = image["version"] == {"N": "1"}, "open_pk" in image
    ended = "finished_at" in image
    return units + (2 if created and open_ else 1 if ended else 0)


def played(system: System, workflow: Workflow, spied: Spied, images: list[Mapping[str, Any]], run_input: Json) -> Run:
    """Run a workflow to its end, and return it; what is seen is what a run takes, and no more."""
    definition = workflow.to_json()
    for each in definition["tasks"].values():
        each["service"] = "a"
    assert "error" not in system.ask(action="register", definition={**definition, "name": "shape"})
    seen: set[str] = set()
    for run_id in ("first", RUN_ID):  # in the first one each process reads the definition, which it keeps
        images.clear()
        spied.start()
        assert "error" not in system.ask(action="start", workflow="shape", run_id=run_id, input=run_input)
        _settle(system, seen)
    spied.stop()
    return run_of(system.ask(action="describe", run_id=RUN_ID))


def _settle(system: System, seen: set[str]) -> None:
    """As System.settle, but that nothing else looks at the table, and what was `seen` is not seen again."""
    for _ in range(200):
        messages, records = system.received(), system.handed_to_the_stream(seen)
        if not messages["Records"] and not records["Records"]:
            return
        if messages["Records"]:
            system.work(messages)
        if records["Records"]:
            system.advance(records)
    raise AssertionError("still not settled")


def engine_requests(requests: Counter[str]) -> dict[str, int]:
    """Return what the engine asked for, without what the test asked of the queues."""
    wanted = ("PutItem", "UpdateItem", "GetItem", "BatchGetItem", "Query", "SendMessageBatch")
    return {name: requests[name] for name in wanted}


@pytest.mark.parametrize(
    ("workflow", "output"),
    [
        (shapes.single(), None),
        (shapes.diamond(), "x" * 100),
        (shapes.diamond(), "x" * 9_000),
        (shapes.chain(4), "x" * 700),
        (shapes.fan(12), "x" * 2_000),
        (shapes.sinks(), {"n": 1}),
        (shapes.layered(3, 4), "x" * 300),
    ],
    ids=["single", "diamond", "large outputs", "chain", "fan of 12", "three sinks", "layers"],
)
def test_the_model_counts_what_the_engine_does(
    system: System, spied: Spied, images: list[Mapping[str, Any]], workflow: Workflow, output: Json
) -> None:
    system.services.run = lambda _event: output
    run_input = "y" * 5_000
    run = played(system, workflow, spied, images, run_input)
    assert run.status == "SUCCEEDED"
    payloads = Payloads(size_of(run_input), {task_id: size_of(output) for task_id in workflow.tasks})

    modelled = of_dynamodb(run, payloads, registered=True)

    assert engine_requests(spied.requests) == engine_requests(modelled.requests)
    assert sum(map(_write_units, images)) == modelled.units[Unit.WRITES]
    assert spied.reads == modelled.units[Unit.READS]
    assert spied.messages == len(workflow.tasks)
    assert modelled.units[Unit.QUEUE] == spied.requests["SendMessageBatch"] + 2 * spied.messages
    handed_over = [image for image in images if image.get("handoff") == {"S": Handoff.STREAM}]
    assert len(handed_over) == modelled.units[Unit.STREAM] == len(workflow.tasks)
    assert modelled.units[Unit.REQUESTS] == 1 + 2 * len(workflow.tasks)


def test_the_model_counts_attempts_as_the_engine_makes_them(
    system: System, spied: Spied, images: list[Mapping[str, Any]]
) -> None:
    system.services.run = failing_times(2)
    workflow = shapes.diamond(Retry(max_attempts=3, delay_s=0))
    run = played(system, workflow, spied, images, None)
    assert [task.attempts for task in run.tasks] == [3] * 5

    modelled = of_dynamodb(
        run, Payloads(outputs={task_id: size_of("done") for task_id in workflow.tasks}), registered=True
    )

    assert engine_requests(spied.requests) == engine_requests(modelled.requests)
    assert (sum(map(_write_units, images)), spied.reads) == (modelled.units[Unit.WRITES], modelled.units[Unit.READS])
    assert spied.messages == 15
    assert modelled.units[Unit.REQUESTS] == 1 + 15 + 5
    assert of_stepfunctions(run, 6).units[Unit.TRANSITIONS] == 6 + 10


def test_a_worker_is_paid_for_while_it_waits() -> None:
    run = run_of(described("SUCCEEDED", tasks={"A": task(**done(100, 10_000, attempts=2))}))
    used = of_dynamodb(run, Payloads())
    own_ms = usage.MS_PER_REQUEST * sum(used.requests.values())
    assert used.units[Unit.GB_S] == pytest.approx((2 * 10_000 + own_ms) / 1000 * 0.5)
    assert of_stepfunctions(run, 1).units[Unit.GB_S] == pytest.approx(0.015)


@pytest.mark.parametrize(("took_ms", "renewals"), [(60_000, 0), (61_000, 3), (600_000, 30)])
def test_the_lease_of_a_long_task_is_renewed(took_ms: int, renewals: int) -> None:
    def writes(took_ms: int) -> float:
        run = run_of(described("SUCCEEDED", tasks={"A": task(**done(100, took_ms))}))
        return of_dynamodb(run, Payloads()).units[Unit.WRITES]

    assert writes(took_ms) - writes(1_000) == renewals


def test_an_output_that_is_not_known_is_as_large_as_the_mean() -> None:
    payloads = Payloads(outputs={"A": 100, "B": 301})
    assert [payloads.of(task_id) for task_id in "ABC"] == [100, 301, 200]
    assert Payloads().of("A") == 0


def test_every_unit_has_a_price_with_its_source_and_date() -> None:
    assert set(PRICES) == set(Unit)
    for price in PRICES.values():
        assert price.source.startswith("https://aws.amazon.com/")
        assert price.read[-10:] <= AS_OF
    assert usd_per_million(Unit.TRANSITIONS, 6) == pytest.approx(150)
    assert usd_per_million(Unit.WRITES, 8) == pytest.approx(5)
    assert usd_per_million(Unit.LOGS, 10) == pytest.approx(5)


@pytest.mark.parametrize("registered", [False, True])
def test_the_model_counts_what_a_start_on_step_functions_asks_for(
    system: System, client: Callable[..., Any], spied: Spied, monkeypatch: pytest.MonkeyPatch, *, registered: bool
) -> None:
    role_arn = "arn:aws:iam::123456789012:role/flow"
    monkeypatch.setenv("FLOW_ROLE_ARN", role_arn)
    monkeypatch.setenv("FLOW_LOG_GROUP_ARN", "arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/states/x:*")
    workflow = shapes.single() if registered else shapes.diamond()
    if registered:
        system.ask(action="register", definition=workflow.to_json(), engine="stepfunctions")
    else:
        name, definition = os.environ["FLOW_PREFIX"] + workflow.name, json.dumps(ABC_MACHINE["definition"])
        client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=role_arn)
    for number in (1, 2):  # in the first one each process reads what it keeps
        spied.start()
        run_id = f"{workflow.name}-{number}"  # as ids are made: any other is looked for among the runs of all workflows
        answer = system.ask(action="start", workflow=workflow.name, run_id=run_id, engine="stepfunctions", input=None)
        assert answer.get("created") is True, answer
    spied.stop()

    modelled = of_stepfunctions(run_of(answer["run"]), 6, registered=registered)

    assert spied.requests == modelled.requests
    assert spied.reads == modelled.units[Unit.READS]
