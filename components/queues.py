"""SQS queues as every component here has them: encrypted, and reachable over TLS alone."""

import pulumi
import pulumi_aws.sqs as sqs

from components import policies

FOURTEEN_DAYS_S = 14 * 24 * 3600  # the longest that SQS keeps a message


def make_queue(
    name: str,
    *,
    parent: pulumi.Resource,
    visibility_timeout_s: int = 30,
    redrive_policy: pulumi.Input[str] | None = None,
) -> sqs.Queue:
    """Return a standard queue that keeps its messages for as long as SQS can."""
    child = pulumi.ResourceOptions(parent=parent)
    queue = sqs.Queue(
        name,
        message_retention_seconds=FOURTEEN_DAYS_S,
        visibility_timeout_seconds=visibility_timeout_s,
        sqs_managed_sse_enabled=True,
        redrive_policy=redrive_policy,
        opts=child,
    )
    policy = pulumi.Output.json_dumps(queue.arn.apply(policies.tls_only))
    sqs.QueuePolicy(name, queue_url=queue.url, policy=policy, opts=child)
    return queue
