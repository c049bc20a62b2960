"""The clients: whether they ask again, and for how long they wait."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestration import aws
from orchestration.catalog import DynamoDefinitions, Entry
from orchestration.clock import SystemChance, SystemClock
from orchestration.dead_letters import Origin
from orchestration.express_runs import ExpressRuns
from orchestration.flow_runs import FlowRuns
from orchestration.queue import SqsQueue
from orchestration.settings import FlowSettings, Registration, Settings
from orchestration.store import DynamoStore
from orchestration.timing import Timing

SETTINGS = Settings("table", "https://queue", {"a": "fn-a"}, timing=Timing(grace_s=7, heartbeat_s=3))


@pytest.mark.usefixtures("aws_account")
def test_a_task_is_never_invoked_twice_by_the_client() -> None:
    make = aws.services(SETTINGS)._client
    config: Any = make(7).meta.config
    assert config.read_timeout == 7
    assert config.retries["total_max_attempts"] == 1
    assert make(7) is make(7)
    assert make(8) is not make(7)


@pytest.mark.usefixtures("aws_account")
def test_the_table_and_the_queue_are_asked_again() -> None:
    engine = aws.engine(SETTINGS)
    assert isinstance(engine.store, DynamoStore)
    assert isinstance(engine.queue, SqsQueue)
    assert isinstance(engine.catalog._definitions, DynamoDefinitions)
    for client in (engine.store._client, engine.queue._client, engine.catalog._definitions._client):
        config: Any = client.meta.config
        assert config.retries["mode"] == "standard"
        assert config.retries["total_max_attempts"] == 5
        assert config.max_pool_connections >= 16
    assert (engine.store._table, engine.queue._url) == ("table", "https://queue")
    assert engine.timing == SETTINGS.timing


@pytest.mark.usefixtures("aws_account")
def test_the_dead_letters_of_the_queues_that_are_known() -> None:
    assert aws.dead_letters(SETTINGS)._urls == {}
    both = replace(SETTINGS, dead_letters_url="https://d", failed_records_url="https://f")
    assert aws.dead_letters(both)._urls == {Origin.WORKER: "https://d", Origin.RECORDS: "https://f"}
    config: Any = aws.dead_letters(both)._client.meta.config
    assert config.retries["total_max_attempts"] == 5


FLOWS = FlowSettings("arn:m:", "arn:f:", "orchestra-dev-", "STANDARD", Registration("arn:role", "arn:log-group:all"))


@pytest.mark.usefixtures("aws_account")
def test_the_state_machines_are_asked_again() -> None:
    flows = aws.flows(FLOWS)
    config: Any = flows._client.meta.config
    assert (config.retries["mode"], config.retries["total_max_attempts"]) == ("standard", 5)
    assert flows.machine_arn("abc") == "arn:m:abc"
    assert (flows._kind, flows._registration) == ("STANDARD", FLOWS.registration)


@pytest.mark.usefixtures("aws_account")
def test_the_executions_of_either_type() -> None:
    engine, machines = aws.engine(SETTINGS), aws.flows(FLOWS)
    standard = aws.flow_runs(FLOWS, machines, engine)
    assert standard == FlowRuns(machines, engine.catalog, engine.store, registers=True)
    assert aws.flow_runs(replace(FLOWS, registration=None), machines, engine) == FlowRuns(
        machines, engine.catalog, engine.store, registers=False
    )
    express = aws.flow_runs(replace(FLOWS, type="EXPRESS"), machines, engine)
    assert isinstance(express, ExpressRuns)
    assert express.flows == standard
    entries = [Entry("abc", "v", 1, source) for source in ("declared", "registered")]
    assert [express.log_group(entry) for entry in entries] == ["/aws/vendedlogs/states/orchestra-dev-abc", "all"]


def test_the_engine_s_clock_and_chance() -> None:
    clock, chance = SystemClock(), SystemChance()
    assert 1_700_000_000_000 < clock.now() < 10_000_000_000_000
    assert len({chance.token() for _ in range(100)}) == 100
    assert all(0 <= chance.jitter() <= 1 for _ in range(100))
    assert len(chance.token()) == 32


@pytest.mark.usefixtures("aws_account")
def test_the_clients_that_were_used_last_are_kept() -> None:
    clients = aws._Clients()
    first = clients.for_timeout(1)
    for timeout_s in range(2, aws.MAX_CLIENTS + 1):
        clients.for_timeout(timeout_s)
    assert clients.for_timeout(1) is first
    second = clients.for_timeout(aws.MAX_CLIENTS + 1)  # in place of that for 2 s
    assert list(clients._clients) == [*range(3, aws.MAX_CLIENTS + 1), 1, aws.MAX_CLIENTS + 1]
    assert clients.for_timeout(aws.MAX_CLIENTS + 1) is second
    config: Any = second.meta.config
    assert config.read_timeout == aws.MAX_CLIENTS + 1
