"""Queues and what is set on them separately."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar

from local.handlers.base import Handler, Inputs, Outputs, Scope
from local.policies import without_tls_only
from local.pulumi_runtime import Registered

_ATTRIBUTES = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deduplicationScope": "DeduplicationScope",
    "delaySeconds": "DelaySeconds",
    "fifoQueue": "FifoQueue",
    "fifoThroughputLimit": "FifoThroughputLimit",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}


class Queue(Handler):
    type = "aws:sqs/queue:Queue"
    name_limit = 80
    replacing = ("name", "fifoQueue")

    def physical_name(self, generated: str, inputs: Inputs) -> str:
        return f"{generated[:75]}.fifo" if inputs.get("fifoQueue") else generated

    def unrecorded(self, scope: Scope, inputs: Inputs) -> Iterable[Registered]:
        urls = scope.aws.client("sqs").list_queues(QueueNamePrefix=inputs["name"]).get("QueueUrls") or []
        return [Registered(url, {}) for url in urls if url.endswith(f"/{inputs['name']}")]

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        sqs = scope.aws.client("sqs")
        url = sqs.create_queue(QueueName=inputs["name"], Attributes=_attributes(inputs), tags=inputs.get("tags") or {})[
            "QueueUrl"
        ]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return Registered(url, {"arn": arn, "url": url, "name": inputs["name"]})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:
        settings = {name: _ATTRIBUTES[name] for name in changed if name in _ATTRIBUTES}
        if settings:
            removed = {aws: "" for name, aws in settings.items() if inputs.get(name) is None}
            scope.aws.client("sqs").set_queue_attributes(
                QueueUrl=current.id,
                Attributes={**removed, **_attributes({name: inputs.get(name) for name in settings})},
            )
        return dict(current.outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("sqs").delete_queue(QueueUrl=current.id)


def _attributes(inputs: Inputs) -> dict[str, str]:
    return {aws: _text(name, inputs[name]) for name, aws in _ATTRIBUTES.items() if inputs.get(name) is not None}


def _text(name: str, value: Any) -> str:
    if name == "policy":
        return without_tls_only(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


class _QueueSetting(Handler):
    """One attribute of a queue, as a resource of its own."""

    name_property = None
    replacing = ("queueUrl",)
    property: ClassVar[str]

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        self._set(scope, inputs["queueUrl"], inputs[self.property])
        return Registered(inputs["queueUrl"], {})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        self._set(scope, current.id, inputs[self.property])
        return dict(current.outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        self._set(scope, current.id, "")

    def _set(self, scope: Scope, url: str, value: str) -> None:
        attributes = {_ATTRIBUTES[self.property]: _text(self.property, value)}
        scope.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)


class QueuePolicy(_QueueSetting):
    type = "aws:sqs/queuePolicy:QueuePolicy"
    property = "policy"


class RedrivePolicy(_QueueSetting):
    type = "aws:sqs/redrivePolicy:RedrivePolicy"
    property = "redrivePolicy"


class RedriveAllowPolicy(_QueueSetting):
    type = "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy"
    property = "redriveAllowPolicy"
