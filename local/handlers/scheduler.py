"""Schedules and their groups."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from local.handlers.base import Handler, Inputs, Outputs, Scope, pick, tag_list
from local.pulumi_runtime import Registered

_DEFAULT_GROUP = "default"


class Schedule(Handler):
    """A schedule. Its role is recorded, and not used: the emulator invokes every target."""

    type = "aws:scheduler/schedule:Schedule"
    replacing = ("name", "groupName")

    def unrecorded(self, scope: Scope, inputs: Inputs) -> Iterable[Registered]:  # noqa: ARG002
        return [Registered(_id(inputs), {})]

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        made = scope.aws.client("scheduler").create_schedule(**_request(inputs))
        return Registered(_id(inputs), {"arn": made["ScheduleArn"], "name": inputs["name"]})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        scope.aws.client("scheduler").update_schedule(**_request(inputs))
        return dict(current.outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        group, name = current.id.split("/", 1)
        scope.aws.client("scheduler").delete_schedule(GroupName=group, Name=name)


class ScheduleGroup(Handler):
    type = "aws:scheduler/scheduleGroup:ScheduleGroup"
    replacing = ("*",)

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        made = scope.aws.client("scheduler").create_schedule_group(Name=inputs["name"], **tag_list(inputs))
        return Registered(inputs["name"], {"arn": made["ScheduleGroupArn"], "name": inputs["name"]})

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("scheduler").delete_schedule_group(Name=current.id)


def _id(inputs: Inputs) -> str:
    return f"{inputs.get('groupName') or _DEFAULT_GROUP}/{inputs['name']}"


def _request(inputs: Inputs) -> dict[str, Any]:
    window = {"mode": "Mode", "maximumWindowInMinutes": "MaximumWindowInMinutes"}
    return {
        "Name": inputs["name"],
        "GroupName": inputs.get("groupName") or _DEFAULT_GROUP,
        "ScheduleExpression": inputs["scheduleExpression"],
        "FlexibleTimeWindow": pick(inputs["flexibleTimeWindow"], window),
        "Target": _target(inputs["target"]),
        **pick(
            inputs,
            {
                "description": "Description",
                "scheduleExpressionTimezone": "ScheduleExpressionTimezone",
                "state": "State",
            },
        ),
    }


def _target(target: Inputs) -> dict[str, Any]:
    retries = {"maximumEventAgeInSeconds": "MaximumEventAgeInSeconds", "maximumRetryAttempts": "MaximumRetryAttempts"}
    return {
        **pick(target, {"arn": "Arn", "roleArn": "RoleArn", "input": "Input"}),
        **({"RetryPolicy": pick(target["retryPolicy"], retries)} if target.get("retryPolicy") else {}),
    }
