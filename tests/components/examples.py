"""Arguments of each component, as the program would give them, and what its children are called for them."""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from components.engine import EngineArgs
from components.monitoring import Monitoring, MonitoringArgs
from components.orchestration_table import OrchestrationTable
from components.orchestrator import Orchestrator, OrchestratorArgs
from components.registered_flows import FlowRegistration, RegisteredFlows
from components.settings import FunctionDefaults, Settings
from components.step_functions_flow import StepFunctionsFlow
from components.sweeper import Sweeper
from components.task_service import TaskService
from components.worker_pool import WorkerPool
from orchestration.workflow import Task, Workflow

DEFAULTS: FunctionDefaults = {
    "account_id": "123456789012",
    "architecture": "arm64",
    "log_level": "INFO",
    "log_retention_days": 30,
}

TABLE_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/runs"
STREAM_ARN = f"{TABLE_ARN}/stream/2026-01-01T00:00:00.000"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:work"
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/work"
DEAD_LETTERS_ARN = "arn:aws:sqs:us-east-1:123456789012:dead"
DEAD_LETTERS_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/dead"
FAILED_RECORDS_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/records"
FUNCTION_ARNS = {
    "b": "arn:aws:lambda:us-east-1:123456789012:function:task-b-7654321",
    "a": "arn:aws:lambda:us-east-1:123456789012:function:task-a-7654321",
}

MACHINE_ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:orchestra-test-line"
FLOW_ROLE_ARN = "arn:aws:iam::123456789012:role/registered-flows-7654321"
FLOW_LOG_GROUP_ARN = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/states/orchestra-test/registered"

ENGINE: EngineArgs = {
    "table_name": "runs",
    "table_arn": TABLE_ARN,
    "services": {"b": "task-b-7654321", "a": "task-a-7654321"},
    "grace_s": 90,
    "lease_slack_s": 20,
    "defaults": DEFAULTS,
}

LINE = Workflow("line", {"first": Task("a"), "second": Task("b", after=["first"])}).to_json()


def task_service(folder: str = "services/a") -> TaskService:
    return TaskService("task-a", {"folder": folder, "defaults": DEFAULTS})


def container_service() -> TaskService:
    return TaskService("task-b3", {"folder": "services/b3", "defaults": DEFAULTS})


def orchestration_table() -> OrchestrationTable:
    return OrchestrationTable("table", {})


def worker_pool() -> WorkerPool:
    return WorkerPool("worker", {**ENGINE, "function_arns": FUNCTION_ARNS, "max_workers": 0})


ORCHESTRATOR: OrchestratorArgs = {
    **ENGINE,
    "workflows": [LINE],
    "stream_arn": STREAM_ARN,
    "queue_url": QUEUE_URL,
    "queue_arn": QUEUE_ARN,
    "dead_letters_url": DEAD_LETTERS_URL,
    "dead_letters_arn": DEAD_LETTERS_ARN,
    "flow_prefix": "orchestra-test-",
    "flow_type": "STANDARD",
    "flow_arns": {"line": MACHINE_ARN},
    "registered_flows": None,
}


def orchestrator() -> Orchestrator:
    return Orchestrator("orchestrator", ORCHESTRATOR)


def registering_orchestrator() -> Orchestrator:
    registration: FlowRegistration = {"role_arn": FLOW_ROLE_ARN, "log_group_arn": FLOW_LOG_GROUP_ARN}
    return Orchestrator("orchestrator", {**ORCHESTRATOR, "registered_flows": registration})


def step_functions_flow(flow_type: str = "STANDARD") -> StepFunctionsFlow:
    functions = {**FUNCTION_ARNS, "unused": "arn:aws:lambda:us-east-1:123456789012:function:task-unused-7654321"}
    return StepFunctionsFlow(
        "flow-line", {"workflow": LINE, "function_arns": functions, "type": flow_type, "defaults": DEFAULTS}
    )


def registered_flows() -> RegisteredFlows:
    return RegisteredFlows("registered-flows", {"function_arns": FUNCTION_ARNS, "defaults": DEFAULTS})


def sweeper() -> Sweeper:
    return Sweeper("sweeper", {**ENGINE, "queue_url": QUEUE_URL, "queue_arn": QUEUE_ARN})


MONITORING: MonitoringArgs = {
    "table_name": "runs",
    "orchestrator_arn": "arn:aws:lambda:us-east-1:123456789012:function:orchestrator-7654321",
    "worker_arn": "arn:aws:lambda:us-east-1:123456789012:function:worker-7654321",
    "sweeper_arn": "arn:aws:lambda:us-east-1:123456789012:function:sweeper-7654321",
    "task_function_arns": FUNCTION_ARNS,
    "queue_url": QUEUE_URL,
    "dead_letters_url": DEAD_LETTERS_URL,
    "failed_records_url": FAILED_RECORDS_URL,
    "state_machine_arns": {"line": MACHINE_ARN},
    "thresholds": Settings().thresholds,
    "account_id": "123456789012",
}


def monitoring() -> Monitoring:
    return Monitoring("monitoring", MONITORING)


def mailing_monitoring() -> Monitoring:
    return Monitoring("monitoring", {**MONITORING, "email": "ops@example.com", "state_machine_arns": {}})


EXAMPLES: dict[str, list[Callable[[], pulumi.ComponentResource]]] = {
    "Monitoring": [monitoring, mailing_monitoring],
    "OrchestrationTable": [orchestration_table],
    "Orchestrator": [orchestrator, registering_orchestrator],
    "RegisteredFlows": [registered_flows],
    "StepFunctionsFlow": [step_functions_flow],
    "Sweeper": [sweeper],
    "TaskService": [task_service, container_service],
    "WorkerPool": [worker_pool],
}
"""Every component, written out: one that is missing here fails tests/components/test_contract.py."""
