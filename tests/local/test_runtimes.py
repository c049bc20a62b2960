"""Functions as they really run here: their errors, their environment, their time, and what is delivered to them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.local.conftest import Deployed, eventually

pytestmark = pytest.mark.e2e
BOTH = pytest.mark.parametrize("runtime", ["python", "node"])


@pytest.mark.parametrize("runtime", ["python", "node", "container"])
def test_an_error_keeps_its_name_and_message_and_says_where(up: Deployed, runtime: str) -> None:
    error = up.fail(runtime, {"do": "fail", "message": "too much"})
    assert (error["errorType"], error["errorMessage"]) == ("QuotaExceeded", "too much")
    assert error.get("stackTrace") or error.get("trace")


@BOTH
def test_values_come_back_as_they_are(up: Deployed, runtime: str) -> None:
    event = {"do": "echo", "text": "é\u2028\U0001f600", "numbers": [1, 2.5, -0.0, 2**53], "nothing": None}
    assert up.invoke(runtime, event)[0] == event


@pytest.mark.parametrize(
    ("runtime", "do", "name"),
    [
        ("python", "nan", "Runtime.MarshalError"),
        ("python", "set", "Runtime.MarshalError"),
        ("python", "undeclared", "ModuleNotFoundError"),
        ("python", "exit", "Runtime.ExitError"),
        ("node", "bigint", "Runtime.MarshalError"),
        ("node", "throwText", "string"),
        ("node", "reject", "Runtime.UnhandledPromiseRejection"),
        ("broken", "", "Runtime.ImportModuleError"),
        ("nameless", "", "Runtime.HandlerNotFound"),
        ("callback", "", "Runtime.CallbackHandlerDeprecated"),
    ],
)
def test_failures_of_the_runtime_have_awss_names(up: Deployed, runtime: str, do: str, name: str) -> None:
    assert up.fail(runtime, {"do": do})["errorType"] == name
    if do:
        assert up.invoke(runtime, {"do": "echo"})[0] == {"do": "echo"}  # and the function goes on


@BOTH
def test_a_function_sees_what_lambda_gives_it_and_nothing_of_this_machine(
    up: Deployed, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = up.invoke(runtime, {"do": "look"})[0]["environment"]
    name = up.deployment.outputs[runtime]
    expected = {
        "AUTH": "mine",  # a name that the emulator uses too
        "COLOUR": "blue",
        "AWS_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{runtime}",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "AWS_ENDPOINT_URL": up.deployment.endpoint_url,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13" if runtime == "python" else "AWS_Lambda_nodejs24.x",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    assert {key: seen.get(key) for key in expected} == expected
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")  # its role's, and not the root user's
    unexpected = {"GATEWAY_PORT", "DOCKER_HOST", "PYTHONPATH", "VIRTUAL_ENV", "ORCHESTRA_LOCAL_VARIABLES"} & set(seen)
    assert not unexpected


def test_a_python_function_has_its_code_first_and_boto3_beside(up: Deployed) -> None:
    path = up.invoke("python", {"do": "look"})[0]["path"]
    assert path[0].startswith(str(up.sample.root))
    assert not any(".venv" in entry for entry in path)
    assert up.invoke("python", {"do": "boto3"})[0]


def test_a_container_runs_its_source_in_an_environment_of_its_own(up: Deployed) -> None:
    seen = up.invoke("container", {})[0]
    assert seen["flavour"] == "container"
    assert "/.orchestra/containers/" in seen["prefix"]
    assert seen["boto3"]  # the base image has it


@BOTH
def test_the_context_is_lambdas(up: Deployed, runtime: str) -> None:
    seen = up.invoke(runtime, {"do": "look"})[0]
    context = {re.sub(r"[A-Z]+", lambda found: f"_{found[0].lower()}", key): v for key, v in seen["context"].items()}
    name = up.deployment.outputs[runtime]
    assert context["function_name"] == name
    assert context["invoked_function_arn"].endswith(f":function:{name}")
    assert context["memory_limit_in_mb"] == "256"
    assert context["log_group_name"] == f"/aws/lambda/{runtime}"
    assert len(context["aws_request_id"]) == 36
    assert 0 < seen["remaining_ms"] <= 2000


@BOTH
def test_a_warm_environment_is_used_again_and_what_it_prints_is_its_log(up: Deployed, runtime: str) -> None:
    first = up.invoke(runtime, {"do": "look"})[0]["pid"]
    assert up.invoke(runtime, {"do": "look"})[0]["pid"] == first
    assert "good morning" in up.invoke(runtime, {"do": "say", "message": "good morning"})[1]
    events = up.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{runtime}")["events"]
    assert any("good morning" in event["message"] for event in events)


@BOTH
def test_a_function_that_takes_too_long_is_ended(up: Deployed, runtime: str) -> None:
    error = up.fail(runtime, {"do": "sleep", "seconds": 30})
    assert error["errorType"] == "Sandbox.Timedout"
    assert "timed out after 2.00 seconds" in error["errorMessage"]


def count_of(up: Deployed, key: str) -> int:
    item = up.client("dynamodb").get_item(TableName=up.deployment.outputs["counts"], Key={"pk": {"S": key}})
    return int(item.get("Item", {}).get("deliveries", {"N": "0"})["N"])


def test_the_hook_delivers_everything_twice_and_drops_the_first_result(up: Deployed) -> None:
    sqs, url = up.client("sqs"), up.deployment.outputs["queue"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"key": "plain"}))
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"key": "fails-once"}))
    # The second delivery of each succeeds, so no message comes back.
    eventually(lambda: (count_of(up, "plain"), count_of(up, "fails-once")) == (2, 2))
    eventually(lambda: _left(sqs, url) == (0, 0))


def test_the_hook_is_in_the_node_runtime_too_and_only_for_records(up: Deployed) -> None:
    record = {"Records": [{"eventSource": "aws:sqs"}]}
    assert up.invoke("node-twice", record)[0] == {"deliveries": 2}
    assert up.invoke("node-twice", {"do": "echo"})[0] == {"do": "echo"}


def test_a_stream_batch_with_failures_is_delivered_again_and_filtered_records_are_not(up: Deployed) -> None:
    source = up.client("dynamodb")
    for key, handoff in (("fails-once-1", "stream"), ("other", "stream"), ("skipped", "direct")):
        item = {"pk": {"S": key}, "handoff": {"S": handoff}}
        source.put_item(TableName=up.deployment.outputs["source"], Item=item)
    eventually(lambda: count_of(up, "fails-once-1") == 2)
    eventually(lambda: count_of(up, "other") >= 1)
    assert count_of(up, "skipped") == 0


def _left(sqs: Any, url: str) -> tuple[int, int]:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])
