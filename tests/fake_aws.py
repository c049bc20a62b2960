"""What AWS would answer to a program: ids, names, ARNs and URLs in the shape that each service gives them.

A placeholder of one shape for all would let a policy name `None/*`, or a URL stand where an ARN belongs, and pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

ACCOUNT, REGION = "123456789012", "us-east-1"
SUFFIX = "-1234567"  # what Pulumi appends to a name of its own
DIGEST = "sha256:" + "5" * 64

INVOKES: Mapping[str, Mapping[str, Any]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
    "aws:index/getRegion:getRegion": {"region": REGION},
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": {"userName": "AWS", "password": "a-registry-token"},
}
"""Every look-up that a program may do. Another one is an error, and never an empty answer."""


def invoke(token: str) -> dict[str, Any]:
    assert token in INVOKES, f"the look-up {token} is not in fake_aws.INVOKES"
    return dict(INVOKES[token])


def create(typ: str, name: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the id and the outputs of a new resource."""
    assert typ in _COMPUTED, f"the resource type {typ} is not in fake_aws"
    physical = inputs.get("name") or name + SUFFIX
    id_, computed = _COMPUTED[typ](physical, inputs)
    return id_, {**inputs, **computed}


Computed = tuple[str, dict[str, Any]]


def _arn(service: str, resource: str, *, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def _log_group(name: str, _: Mapping[str, Any]) -> Computed:
    return name, {"name": name, "arn": _arn("logs", f"log-group:{name}")}


def _role(name: str, _: Mapping[str, Any]) -> Computed:
    return name, {"name": name, "arn": _arn("iam", f"role/{name}", region="")}


def _role_policy(name: str, inputs: Mapping[str, Any]) -> Computed:
    return f"{inputs['role']}:{name}", {"name": name}


def _function(name: str, _: Mapping[str, Any]) -> Computed:
    return name, {"name": name, "arn": _arn("lambda", f"function:{name}")}


def _mapping(_: str, __: Mapping[str, Any]) -> Computed:
    uuid = "0f0e0d0c-0b0a-0908-0706-050403020100"
    return uuid, {"uuid": uuid, "arn": _arn("lambda", f"event-source-mapping:{uuid}")}


def _of_function(_: str, inputs: Mapping[str, Any]) -> Computed:
    return inputs["functionName"], {}


def _table(name: str, _: Mapping[str, Any]) -> Computed:
    arn = _arn("dynamodb", f"table/{name}")
    return name, {"name": name, "arn": arn, "streamArn": f"{arn}/stream/2026-01-01T00:00:00.000"}


def _schedule(name: str, inputs: Mapping[str, Any]) -> Computed:
    group = inputs.get("groupName") or "default"
    return f"{group}/{name}", {"name": name, "arn": _arn("scheduler", f"schedule/{group}/{name}")}


def _schedule_group(name: str, _: Mapping[str, Any]) -> Computed:
    return name, {"name": name, "arn": _arn("scheduler", f"schedule-group/{name}")}


def _state_machine(name: str, _: Mapping[str, Any]) -> Computed:
    arn = _arn("states", f"stateMachine:{name}")
    return arn, {"name": name, "arn": arn, "status": "ACTIVE"}


def _queue(name: str, _: Mapping[str, Any]) -> Computed:
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
    return url, {"name": name, "url": url, "arn": _arn("sqs", name)}


def _of_queue(_: str, inputs: Mapping[str, Any]) -> Computed:
    return inputs["queueUrl"], {}


def _repository(name: str, _: Mapping[str, Any]) -> Computed:
    url = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"
    return name, {
        "name": name,
        "arn": _arn("ecr", f"repository/{name}"),
        "registryId": ACCOUNT,
        "repositoryUrl": url,
    }


def _lifecycle_policy(_: str, inputs: Mapping[str, Any]) -> Computed:
    return inputs["repository"], {"registryId": ACCOUNT}


def _alarm(name: str, _: Mapping[str, Any]) -> Computed:
    return name, {"name": name, "arn": _arn("cloudwatch", f"alarm:{name}")}


def _dashboard(_: str, inputs: Mapping[str, Any]) -> Computed:
    name = inputs["dashboardName"]
    return name, {"dashboardArn": _arn("cloudwatch", f"dashboard/{name}", region="")}


def _topic(name: str, _: Mapping[str, Any]) -> Computed:
    arn = _arn("sns", name)
    return arn, {"name": name, "arn": arn}


def _topic_policy(_: str, inputs: Mapping[str, Any]) -> Computed:
    return inputs["arn"], {"owner": ACCOUNT}


def _subscription(_: str, inputs: Mapping[str, Any]) -> Computed:
    arn = f"{inputs['topic']}:0f0e0d0c-0b0a-0908-0706-050403020100"
    return arn, {"arn": arn}


def _image(name: str, inputs: Mapping[str, Any]) -> Computed:
    return name, {"digest": DIGEST, "ref": f"{inputs['tags'][0]}@{DIGEST}", "contextHash": "c" * 64}


_COMPUTED: Mapping[str, Callable[[str, Mapping[str, Any]], Computed]] = {
    "aws:cloudwatch/dashboard:Dashboard": _dashboard,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:dynamodb/table:Table": _table,
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": _lifecycle_policy,
    "aws:ecr/repository:Repository": _repository,
    "aws:iam/role:Role": _role,
    "aws:iam/rolePolicy:RolePolicy": _role_policy,
    "aws:lambda/eventSourceMapping:EventSourceMapping": _mapping,
    "aws:lambda/function:Function": _function,
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": _of_function,
    "aws:lambda/functionRecursionConfig:FunctionRecursionConfig": _of_function,
    "aws:scheduler/schedule:Schedule": _schedule,
    "aws:scheduler/scheduleGroup:ScheduleGroup": _schedule_group,
    "aws:sfn/stateMachine:StateMachine": _state_machine,
    "aws:sns/topic:Topic": _topic,
    "aws:sns/topicPolicy:TopicPolicy": _topic_policy,
    "aws:sns/topicSubscription:TopicSubscription": _subscription,
    "aws:sqs/queue:Queue": _queue,
    "aws:sqs/queuePolicy:QueuePolicy": _of_queue,
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": _of_queue,
    "docker-build:index:Image": _image,
}
