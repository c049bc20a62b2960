"""WorkerPool: the queue of READY tasks, and the Worker that claims them and invokes their services."""

from collections.abc import Mapping
from typing import NotRequired

import pulumi
import pulumi_aws.lambda_ as lambda_
import pulumi_aws.sqs as sqs

from components import policies
from components.engine import EngineArgs, engine_code, engine_defaults, engine_environment
from components.functions import make_function
from components.queues import make_queue

MEMORY_MB = 512
TIMEOUT_S = 900  # a worker waits for its tasks, so it lives for as long as Lambda allows
BATCH_SIZE = 10

# A message stays hidden while its batch is worked on and retried.
# Source: docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html (2026): six times the timeout, five receives.
VISIBILITY_TIMEOUT_S = 6 * TIMEOUT_S
MAX_RECEIVES = 5


class WorkerPoolArgs(EngineArgs):
    function_arns: Mapping[str, pulumi.Input[str]]
    """The ARN of each service's function: the Worker may invoke these, and no others."""

    max_workers: NotRequired[int]
    """The most Workers that run at once, from 2 to 1000. Without it, or with 0, as many as the account allows."""


class WorkerPool(pulumi.ComponentResource):
    """The worker queue, its dead-letter queue, the Worker and its role."""

    queue_url: pulumi.Output[str]
    queue_arn: pulumi.Output[str]
    worker_arn: pulumi.Output[str]
    dead_letters_url: pulumi.Output[str]
    dead_letters_arn: pulumi.Output[str]

    def __init__(self, name: str, args: WorkerPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("orchestra:components:WorkerPool", name, None, opts)
        self.dead_letters, self.queue = self._queues(name)
        parts = make_function(
            name,
            parent=self,
            defaults=engine_defaults(args),
            description="Orchestra: claims tasks and invokes their services",
            code=engine_code("worker"),
            memory_mb=MEMORY_MB,
            timeout_s=TIMEOUT_S,
            environment=engine_environment(
                args, "worker", queue_url=self.queue.url, dead_letters_url=self.dead_letters.url
            ),
            statements=pulumi.Output.all(
                table_arn=args["table_arn"],
                queue_arn=self.queue.arn,
                dead_letters_arn=self.dead_letters.arn,
                task_function_arns=list(args["function_arns"].values()),
            ).apply(lambda known: policies.worker(**known)),
        )
        self.log_group, self.role, self.function = parts.log_group, parts.role, parts.function
        self._allow_recursion(name)
        self.mapping = self._mapping(name, args, depends_on=parts.policy)
        self.queue_url = self.queue.url
        self.queue_arn = self.queue.arn
        self.worker_arn = self.function.arn
        self.dead_letters_url = self.dead_letters.url
        self.dead_letters_arn = self.dead_letters.arn
        self.register_outputs(
            {
                "queue_url": self.queue_url,
                "queue_arn": self.queue_arn,
                "worker_arn": self.worker_arn,
                "dead_letters_url": self.dead_letters_url,
                "dead_letters_arn": self.dead_letters_arn,
            }
        )

    def _queues(self, name: str) -> tuple[sqs.Queue, sqs.Queue]:
        dead_letters = make_queue(f"{name}-dead-letters", parent=self)
        redrive = {"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": MAX_RECEIVES}
        queue = make_queue(
            name,
            parent=self,
            visibility_timeout_s=VISIBILITY_TIMEOUT_S,
            redrive_policy=pulumi.Output.json_dumps(redrive),
        )
        sqs.RedriveAllowPolicy(
            name,
            queue_url=dead_letters.url,
            redrive_allow_policy=pulumi.Output.json_dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": [queue.arn]}
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return dead_letters, queue

    def _allow_recursion(self, name: str) -> None:
        """Let the Worker send to the queue that it reads, which is how it retries: Lambda would stop it after 16 turns.

        It cannot run away: the attempts of a task are bounded by its policy, and retry.RELEASES bounds how often a
        claim is given back because the service is busy.
        """
        lambda_.FunctionRecursionConfig(
            name,
            function_name=self.function.name,
            recursive_loop="Allow",
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _mapping(self, name: str, args: WorkerPoolArgs, *, depends_on: pulumi.Resource) -> lambda_.EventSourceMapping:
        concurrency = args.get("max_workers")
        return lambda_.EventSourceMapping(
            name,
            event_source_arn=self.queue.arn,
            function_name=self.function.arn,
            batch_size=BATCH_SIZE,
            maximum_batching_window_in_seconds=0,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config={"maximum_concurrency": concurrency} if concurrency else None,
            metrics_config={"metrics": ["EventCount"]},  # how many fail, and are deleted
            # Lambda reads the queue with the function's role, and checks that it may when the mapping is created.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[depends_on]),
        )
