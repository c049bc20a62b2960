"""The whole program, as it is deployed."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from components.errors import ProgramError
from components.settings import THRESHOLDS
from orchestration import asl
from orchestration.workflow import Workflow
from tests.fake_aws import ACCOUNT, REGION
from tests.snapshot import Archived, Snapshot, snapshot

ROOT = Path(__file__).parents[1]
SERVICES = ["a", "b1", "b2", "b3", "c"]
ENGINE = ["orchestrator", "sweeper", "worker"]
FLOW_VARIABLES = ["FLOW_PREFIX", "FLOW_TYPE", "FUNCTION_ARN_PREFIX", "STATE_MACHINE_ARN_PREFIX"]


def run(**config: str) -> Snapshot:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return snapshot(lambda: runpy.run_path("__main__.py", run_name="__main__"), config)


@pytest.fixture(name="snap", scope="module")
def _snap() -> Snapshot:
    return run()


def variables(snap: Snapshot, function: str) -> dict[str, Any]:
    found: dict[str, Any] = snap.one("aws:lambda/function:Function", function).inputs["environment"]["variables"]
    return found


def test_the_urns_are_those_that_were_reviewed() -> None:
    """A URN that changes is a resource that is replaced: with the table, all runs would go.

    When a change is meant, write the new list into tests/urns.txt, and give what was renamed an alias.
    """
    urns = [
        r.urn.removeprefix("urn:pulumi:test::orchestra::")
        for r in run(probeService="true", registerFlows="true").resources
    ]
    assert "\n".join(urns) + "\n" == (ROOT / "tests/urns.txt").read_text()


def test_the_exports(snap: Snapshot) -> None:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
    assert snap.exports == {
        "table_name": "table-1234567",
        "table_stream_arn": (f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/table-1234567/stream/2026-01-01T00:00:00.000"),
        "orchestrator_arn": f"{arn}orchestrator-1234567",
        "worker_arn": f"{arn}worker-1234567",
        "worker_queue_url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/worker-1234567",
        "sweeper_arn": f"{arn}sweeper-1234567",
        "dead_letters_url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/worker-dead-letters-1234567",
        "failed_records_url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orchestrator-failed-records-1234567",
        "task_function_arns": {name: f"{arn}task-{name}-1234567" for name in SERVICES},
        "state_machine_arns": {"abc": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:orchestra-test-abc"},
        "region": REGION,
        "alarm_topic_arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:monitoring-1234567",
        "dashboard_name": "orchestra-test",
    }


@pytest.mark.parametrize(
    ("function", "quarantines"),
    [
        ("orchestrator", {"DEAD_LETTERS_URL": "dead_letters_url", "FAILED_RECORDS_URL": "failed_records_url"}),
        ("sweeper", {}),
        ("worker", {"DEAD_LETTERS_URL": "dead_letters_url"}),
    ],
)
def test_the_engines_functions_know_the_same_table_queues_and_services(
    snap: Snapshot, function: str, quarantines: dict[str, str]
) -> None:
    found = {name: value for name, value in variables(snap, function).items() if name not in FLOW_VARIABLES}
    assert json.loads(found.pop("SERVICES")) == {name: f"task-{name}-1234567" for name in SERVICES}
    assert found == {
        "TABLE_NAME": snap.exports["table_name"],
        "QUEUE_URL": snap.exports["worker_queue_url"],
        **{name: snap.exports[export] for name, export in quarantines.items()},
        "GRACE_S": "120",
        "LEASE_SLACK_S": "30",
        "POWERTOOLS_SERVICE_NAME": function,
        "POWERTOOLS_METRICS_NAMESPACE": "Orchestra/orchestra-test",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def test_the_parts_are_wired_to_each_other(snap: Snapshot) -> None:
    mappings = {r.name: r.inputs for r in snap.all("aws:lambda/eventSourceMapping:EventSourceMapping")}
    assert {name: (m["eventSourceArn"], m["functionName"]) for name, m in mappings.items()} == {
        "orchestrator": (snap.exports["table_stream_arn"], snap.exports["orchestrator_arn"]),
        "worker": (f"arn:aws:sqs:{REGION}:{ACCOUNT}:worker-1234567", snap.exports["worker_arn"]),
    }
    assert snap.one("aws:scheduler/schedule:Schedule").inputs["target"]["arn"] == snap.exports["sweeper_arn"]


def test_the_worker_may_invoke_the_task_functions_and_no_others(snap: Snapshot) -> None:
    document = json.loads(snap.one("aws:iam/rolePolicy:RolePolicy", "worker").inputs["policy"])
    [invoke] = [s for s in document["Statement"] if s["Action"] == ["lambda:InvokeFunction"]]
    assert invoke["Resource"] == sorted(snap.exports["task_function_arns"].values())


def test_the_reference_workflow_is_declared(snap: Snapshot) -> None:
    code = snap.one("aws:lambda/function:Function", "orchestrator").inputs["code"]
    assert isinstance(code, Archived)
    [declared] = json.loads(code.texts["orchestration/workflows.json"])
    graph = {task_id: (task["service"], task["after"]) for task_id, task in declared["tasks"].items()}
    assert (declared["name"], graph) == (
        "abc",
        {
            "A": ("a", []),
            "B1": ("b1", ["A"]),
            "B2": ("b2", ["A"]),
            "B3": ("b3", ["A"]),
            "C": ("c", ["B1", "B2", "B3"]),
        },
    )


def test_the_orchestrator_alone_knows_the_state_machines(snap: Snapshot) -> None:
    told = {name: {key: variables(snap, name).get(key) for key in FLOW_VARIABLES} for name in ENGINE}
    assert told["orchestrator"] == {
        "FLOW_PREFIX": "orchestra-test-",
        "FLOW_TYPE": "STANDARD",
        "FUNCTION_ARN_PREFIX": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:",
        "STATE_MACHINE_ARN_PREFIX": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:orchestra-test-",
    }
    assert told["sweeper"] == told["worker"] == dict.fromkeys(FLOW_VARIABLES)


def test_every_declared_workflow_is_a_state_machine_of_the_same_functions(snap: Snapshot) -> None:
    machine = snap.one("aws:sfn/stateMachine:StateMachine").inputs
    code = snap.one("aws:lambda/function:Function", "orchestrator").inputs["code"]
    [declared] = json.loads(code.texts["orchestration/workflows.json"])
    functions: dict[str, str] = snap.exports["task_function_arns"]
    assert machine["name"] == f"orchestra-test-{declared['name']}"
    assert machine["definition"] == asl.compile_workflow(Workflow.from_json(declared), functions).text
    document = json.loads(snap.one("aws:iam/rolePolicy:RolePolicy", "flow-abc").inputs["policy"])
    [invoke] = [s for s in document["Statement"] if s["Action"] == ["lambda:InvokeFunction"]]
    assert invoke["Resource"] == sorted(functions.values())


def test_a_stack_may_do_without_state_machines() -> None:
    snap = run(flowType="NONE")
    assert snap.all("aws:sfn/stateMachine:StateMachine") == []
    assert snap.exports["state_machine_arns"] == {}
    assert "states:" not in snap.one("aws:iam/rolePolicy:RolePolicy", "orchestrator").inputs["policy"]
    code = snap.one("aws:lambda/function:Function", "orchestrator").inputs["code"]
    assert code.texts["orchestration/flows.json"] == "[]"
    with pytest.raises(ProgramError, match="registerFlows is true, and flowType is NONE"):
        run(flowType="NONE", registerFlows="true")


def test_only_a_stack_that_says_so_makes_state_machines_of_registered_workflows(snap: Snapshot) -> None:
    assert snap.all("orchestra:components:RegisteredFlows") == []
    policy = snap.one("aws:iam/rolePolicy:RolePolicy", "orchestrator").inputs["policy"]
    assert "states:CreateStateMachine" not in policy
    assert "iam:PassRole" not in policy
    registering = run(registerFlows="true")
    registered = registering.one("orchestra:components:RegisteredFlows").outputs
    assert registered is not None
    told = variables(registering, "orchestrator")
    assert told["FLOW_ROLE_ARN"] == registered["role_arn"]
    assert told["FLOW_LOG_GROUP_ARN"] == registered["log_group_arn"]


def test_all_that_there_is_is_watched(snap: Snapshot) -> None:
    alarms = {r.name.removeprefix("monitoring-"): r.inputs for r in snap.all("aws:cloudwatch/metricAlarm:MetricAlarm")}
    functions = {r.name for r in snap.all("aws:lambda/function:Function")}
    assert {n.removesuffix("-errors") for n in alarms if n.endswith("-errors")} == functions | {"table"}
    assert {n.removesuffix("-throttles") for n in alarms if n.endswith("-throttles")} == functions | {"table"}
    for name in functions:
        found = snap.one("aws:lambda/function:Function", name).inputs
        assert alarms[f"{name}-errors"]["dimensions"] == {"FunctionName": f"{name}-1234567"}, found
    assert alarms["worker-queue-age"]["dimensions"] == {"QueueName": "worker-1234567"}
    assert alarms["dead-letters"]["dimensions"] == {"QueueName": "worker-dead-letters-1234567"}
    assert alarms["failed-records"]["dimensions"] == {"QueueName": "orchestrator-failed-records-1234567"}
    assert alarms["runs-failed"]["namespace"] == variables(snap, "orchestrator")["POWERTOOLS_METRICS_NAMESPACE"]
    watched = sum(len(a.get("metricQueries", [])[1:]) or 1 for a in alarms.values())
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert f"| {watched} metrics that alarms watch at $0.10 each | ${watched / 10:.2f} |" in text


def test_the_alarms_of_the_docs_are_those_of_the_program(snap: Snapshot) -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8").partition("## The alarms")[2]
    rows = re.findall(r"^\| (`[^|]+`) \| [^|]+ \| (?:`(\w+)`)? ?\| \[([^\]]+)\]", text, re.MULTILINE)
    said = {name: heading for names, _, heading in rows for name in re.findall(r"`([^`]+)`", names)}
    found: dict[str, str] = {}
    for alarm in snap.all("aws:cloudwatch/metricAlarm:MetricAlarm"):
        general = alarm.name.removeprefix("monitoring-").replace("flow-abc-", "flow-WORKFLOW-")
        for service in SERVICES:
            general = general.replace(f"task-{service}-", "task-SERVICE-")
        found[general] = re.findall(r'"(.+)"', alarm.inputs["alarmDescription"])[0]
    assert said == found
    assert {setting for _, setting, _ in rows if setting} == set(THRESHOLDS)


def test_a_stack_may_do_without_alarms() -> None:
    snap = run(monitoring="false")
    assert [r.typ for r in snap.resources if "cloudwatch/metricAlarm" in r.typ or ":sns/" in r.typ] == []
    assert "alarm_topic_arn" not in snap.exports
    assert "dashboard_name" not in snap.exports


def test_every_function_has_a_role_of_its_own(snap: Snapshot) -> None:
    functions = snap.all("aws:lambda/function:Function")
    assert len(functions) == len(SERVICES) + 3
    assert len({r.inputs["role"] for r in functions}) == len(functions)


def test_nothing_that_the_tests_leave_behind_is_deployed(snap: Snapshot) -> None:
    archives = [r.inputs["code"] for r in snap.all("aws:lambda/function:Function") if "code" in r.inputs]
    paths = [path for code in archives for path in (*code.files, *code.texts)]
    assert len(archives) == 7  # b3 is an image
    assert {Path(path).suffix for path in paths} <= {".py", ".mjs", ".json"}
    assert not [p for p in paths if "__pycache__" in p or "test_" in Path(p).name or "/." in f"/{p}"]


def test_the_settings_reach_what_they_set() -> None:
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/b3@sha256:0"
    snap = run(
        probeService="true",
        logRetentionDays="7",
        logLevel="DEBUG",
        architecture="x86_64",
        protectData="true",
        workerMaximumConcurrency="5",
        graceSeconds="60",
        leaseSlackSeconds="10",
        flowType="EXPRESS",
        alarmEmail="ops@example.com",
        alarmThresholds='{"runsFailed": 9}',
        containerImages=json.dumps({"b3": image}),
    )
    functions = snap.all("aws:lambda/function:Function")
    assert sorted(snap.exports["task_function_arns"]) == [*SERVICES, "probe"]
    assert {r.inputs["retentionInDays"] for r in snap.all("aws:cloudwatch/logGroup:LogGroup")} == {7}
    assert {r.inputs["loggingConfig"]["applicationLogLevel"] for r in functions} == {"DEBUG"}
    assert variables(snap, "worker")["POWERTOOLS_LOG_LEVEL"] == "DEBUG"
    engine = [variables(snap, name) for name in ENGINE]
    assert {(found["GRACE_S"], found["LEASE_SLACK_S"]) for found in engine} == {("60", "10")}
    assert {tuple(r.inputs["architectures"]) for r in functions} == {("x86_64",)}
    assert snap.one("aws:dynamodb/table:Table").protect
    assert snap.one("aws:sfn/stateMachine:StateMachine").inputs["type"] == "EXPRESS"
    assert variables(snap, "orchestrator")["FLOW_TYPE"] == "EXPRESS"
    mapping = snap.one("aws:lambda/eventSourceMapping:EventSourceMapping", "worker")
    assert mapping.inputs["scalingConfig"] == {"maximumConcurrency": 5}
    assert snap.one("aws:lambda/function:Function", "task-b3").inputs["imageUri"] == image
    assert snap.all("docker-build:index:Image") == []
    assert snap.one("aws:sns/topicSubscription:TopicSubscription").inputs["endpoint"] == "ops@example.com"
    assert snap.one("aws:cloudwatch/metricAlarm:MetricAlarm", "monitoring-runs-failed").inputs["threshold"] == 9


def test_lambda_drops_no_metrics_of_the_engine_whatever_the_log_level() -> None:
    snap = run(logLevel="WARN")
    levels = {
        r.name: r.inputs["loggingConfig"]["applicationLogLevel"] for r in snap.all("aws:lambda/function:Function")
    }
    assert levels == {**{f"task-{n}": "WARN" for n in SERVICES}, **dict.fromkeys(ENGINE, "INFO")}
    assert variables(snap, "worker")["POWERTOOLS_LOG_LEVEL"] == "WARN"


def test_a_bad_setting_stops_the_program_in_one_line() -> None:
    with pytest.raises(ProgramError) as refused:
        run(containerImages='{"b9": "image"}')
    assert str(refused.value) == "orchestra:containerImages names 'b9'; the services are a, b1, b2, b3, c"


def test_only_the_table_can_be_protected(snap: Snapshot) -> None:
    assert [r.urn for r in snap.resources if r.protect] == []
    assert [r.typ for r in run(protectData="true").resources if r.protect] == ["aws:dynamodb/table:Table"]


def test_the_program_can_be_read_at_a_glance() -> None:
    source = (ROOT / "__main__.py").read_text()
    assert len(source.splitlines()) < 115
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert [line for line in imports if "aws" in line] == [  # look-ups, and no resources
        "from pulumi_aws.get_caller_identity import get_caller_identity_output",
        "from pulumi_aws.get_region import get_region_output",
    ]
