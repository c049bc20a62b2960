"""Topics and their subscriptions."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from local.handlers.base import Handler, Inputs, Outputs, Scope, tag_list
from local.policies import without_tls_only
from local.pulumi_runtime import Registered

_ATTRIBUTES = {"displayName": "DisplayName", "kmsMasterKeyId": "KmsMasterKeyId", "policy": "Policy"}


class Topic(Handler):
    type = "aws:sns/topic:Topic"
    name_limit = 256
    replacing = ("name", "fifoTopic")

    def physical_name(self, generated: str, inputs: Inputs) -> str:
        return f"{generated[:251]}.fifo" if inputs.get("fifoTopic") else generated

    def unrecorded(self, scope: Scope, inputs: Inputs) -> Iterable[Registered]:
        return [Registered(scope.aws.arn("sns", inputs["name"]), {})]

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        attributes = {aws: _text(name, inputs[name]) for name, aws in _ATTRIBUTES.items() if inputs.get(name)}
        if inputs.get("fifoTopic"):
            attributes["FifoTopic"] = "true"
        made = scope.aws.client("sns").create_topic(Name=inputs["name"], Attributes=attributes, **tag_list(inputs))
        outputs = {"arn": made["TopicArn"], "name": inputs["name"], "owner": scope.aws.account}
        return Registered(made["TopicArn"], outputs)

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:
        for name in set(changed) & _ATTRIBUTES.keys():
            scope.aws.client("sns").set_topic_attributes(
                TopicArn=current.id, AttributeName=_ATTRIBUTES[name], AttributeValue=_text(name, inputs.get(name) or "")
            )
        return dict(current.outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("sns").delete_topic(TopicArn=current.id)


def _text(name: str, value: str) -> str:
    return without_tls_only(value) if name == "policy" else str(value)


class TopicPolicy(Handler):
    type = "aws:sns/topicPolicy:TopicPolicy"
    name_property = None
    replacing = ("arn",)

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        _set_policy(scope, inputs["arn"], inputs["policy"])
        return Registered(inputs["arn"], {"owner": scope.aws.account})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        _set_policy(scope, current.id, inputs["policy"])
        return dict(current.outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        _set_policy(scope, current.id, "")


def _set_policy(scope: Scope, topic: str, policy: str) -> None:
    scope.aws.client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=_text("policy", policy)
    )


class TopicSubscription(Handler):
    type = "aws:sns/topicSubscription:TopicSubscription"
    name_property = None
    replacing = ("*",)

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        made = scope.aws.client("sns").subscribe(
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            ReturnSubscriptionArn=True,
            Attributes={"RawMessageDelivery": str(bool(inputs.get("rawMessageDelivery"))).lower()},
        )
        return Registered(made["SubscriptionArn"], {"arn": made["SubscriptionArn"]})

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("sns").unsubscribe(SubscriptionArn=current.id)
