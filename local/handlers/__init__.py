"""The resource types that the local target supports. A new one is a class beside these, and a name in `_SUPPORTED`."""

from __future__ import annotations

from local.handlers import (
    cloudwatch,
    dynamodb,
    ecr,
    functions,
    iam,
    invocation,
    logs,
    scheduler,
    sns,
    sqs,
    stepfunctions,
)
from local.handlers.base import Handler

_SUPPORTED: tuple[type[Handler], ...] = (
    cloudwatch.Dashboard,
    cloudwatch.MetricAlarm,
    dynamodb.Table,
    ecr.BuiltImage,
    ecr.LifecyclePolicy,
    ecr.Repository,
    iam.Role,
    iam.RolePolicy,
    iam.RolePolicyAttachment,
    functions.Function,
    invocation.EventSourceMapping,
    invocation.FunctionEventInvokeConfig,
    invocation.FunctionRecursionConfig,
    invocation.Permission,
    logs.LogGroup,
    scheduler.Schedule,
    scheduler.ScheduleGroup,
    sns.Topic,
    sns.TopicPolicy,
    sns.TopicSubscription,
    sqs.Queue,
    sqs.QueuePolicy,
    sqs.RedriveAllowPolicy,
    sqs.RedrivePolicy,
    stepfunctions.StateMachine,
)

HANDLERS: dict[str, Handler] = {handler.type: handler() for handler in _SUPPORTED}
