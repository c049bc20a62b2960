from __future__ import annotations

import json

import pytest

from components.engine import MAX_ENVIRONMENT_BYTES, OTHER_VARIABLES_BYTES, EngineArgs, engine_environment
from components.errors import ProgramError
from components.worker_pool import WorkerPool
from tests.components.examples import DEFAULTS
from tests.snapshot import snapshot


def engine_of(count: int) -> EngineArgs:
    services = {f"service-{number:03}": "deployed" for number in range(count)}
    return {"table_name": "t", "table_arn": "arn", "services": services, "defaults": DEFAULTS}


def test_services_that_fit_are_allowed() -> None:
    snap = snapshot(lambda: WorkerPool("worker", {**engine_of(80), "function_arns": {}, "max_workers": 0}))
    variables = snap.one("aws:lambda/function:Function").inputs["environment"]["variables"]
    assert json.loads(variables["SERVICES"]) == engine_of(80)["services"]


def test_services_that_cannot_fit_are_refused_before_the_deploy() -> None:
    with pytest.raises(ProgramError) as refused:
        engine_environment(engine_of(100), "worker", queue_url="url")
    assert str(refused.value) == (
        "services: the names of 100 take 4300 bytes of the engine's environment, and Lambda leaves 3456; deploy fewer"
        " services in one stack, or give them shorter names"
    )


def test_the_room_for_the_other_variables_is_enough() -> None:
    longest = {
        "TABLE_NAME": "t" * 255,
        "QUEUE_URL": f"https://sqs.ap-southeast-3.amazonaws.com/123456789012/{'q' * 80}",
        "SERVICES": "",
        "POWERTOOLS_SERVICE_NAME": "orchestrator",
        "POWERTOOLS_METRICS_NAMESPACE": "Orchestra",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }
    assert len(json.dumps(longest)) <= OTHER_VARIABLES_BYTES < MAX_ENVIRONMENT_BYTES
