"""Orchestrator: the function that starts runs, answers about them, and moves them on from the table's stream."""

import json
from collections.abc import Collection, Sequence
from typing import Any

import pulumi
import pulumi_aws.lambda_ as lambda_

from components import policies
from components.engine import EngineArgs, engine_code, engine_defaults, engine_environment
from components.errors import ProgramError
from components.functions import make_function
from components.queues import make_queue
from orchestration.errors import WorkflowError
from orchestration.workflow import Workflow

MEMORY_MB = 512
TIMEOUT_S = 300

# The stream is read in order by key, so that a record that cannot be handled holds up those behind it. The function
# itself sets aside, in the queue of failed records, what no other try could mend; Lambda does so with what it could not
# mend in these tries or this time, and the sweeper does in the end what had to follow from it.
BATCH_SIZE = 100
PARALLELIZATION = 10
MAX_RETRIES = 10
MAX_RECORD_AGE_S = 3600

# Only the writes that say that the stream shall act on them, so that nobody pays for looking at the others.
FILTER = {"eventName": ["INSERT", "MODIFY"], "dynamodb": {"NewImage": {"handoff": {"S": ["stream"]}}}}


class OrchestratorArgs(EngineArgs):
    workflows: Sequence[dict[str, Any]]
    """The declared workflows, as `Workflow.to_json` writes them."""

    stream_arn: pulumi.Input[str]

    queue_url: pulumi.Input[str]
    """The queue of READY tasks."""

    queue_arn: pulumi.Input[str]

    dead_letters_url: pulumi.Input[str]
    """The queue of messages that no Worker could handle."""

    dead_letters_arn: pulumi.Input[str]


class Orchestrator(pulumi.ComponentResource):
    """The function, its role, its place on the stream, and the queue of records that it could not handle."""

    orchestrator_arn: pulumi.Output[str]
    failed_records_url: pulumi.Output[str]

    def __init__(self, name: str, args: OrchestratorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("orchestra:components:Orchestrator", name, None, opts)
        declared = read_workflows(args["workflows"], args["services"])
        self.failed_records = make_queue(f"{name}-failed-records", parent=self)
        parts = make_function(
            name,
            parent=self,
            defaults=engine_defaults(args),
            description="Orchestra: starts runs and moves them on",
            code=engine_code("orchestrator", {"orchestration/workflows.json": declared}),
            memory_mb=MEMORY_MB,
            timeout_s=TIMEOUT_S,
            environment=engine_environment(
                args,
                "orchestrator",
                queue_url=args["queue_url"],
                dead_letters_url=args["dead_letters_url"],
                failed_records_url=self.failed_records.url,
            ),
            statements=pulumi.Output.all(
                table_arn=args["table_arn"],
                stream_arn=args["stream_arn"],
                worker_queue_arn=args["queue_arn"],
                dead_letters_arn=args["dead_letters_arn"],
                failed_records_arn=self.failed_records.arn,
            ).apply(lambda known: policies.orchestrator(**known)),
        )
        self.log_group, self.role, self.function = parts.log_group, parts.role, parts.function
        self.mapping = self._mapping(name, args["stream_arn"], depends_on=parts.policy)
        self.orchestrator_arn = self.function.arn
        self.failed_records_url = self.failed_records.url
        self.register_outputs(
            {"orchestrator_arn": self.orchestrator_arn, "failed_records_url": self.failed_records_url}
        )

    def _mapping(
        self, name: str, stream_arn: pulumi.Input[str], *, depends_on: pulumi.Resource
    ) -> lambda_.EventSourceMapping:
        return lambda_.EventSourceMapping(
            name,
            event_source_arn=stream_arn,
            function_name=self.function.arn,
            starting_position="TRIM_HORIZON",  # LATEST may miss what is written while the mapping is created
            batch_size=BATCH_SIZE,
            maximum_batching_window_in_seconds=0,
            parallelization_factor=PARALLELIZATION,
            maximum_retry_attempts=MAX_RETRIES,
            maximum_record_age_in_seconds=MAX_RECORD_AGE_S,
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            destination_config={"on_failure": {"destination_arn": self.failed_records.arn}},
            filter_criteria={"filters": [{"pattern": json.dumps(FILTER)}]},
            metrics_config={"metrics": ["EventCount"]},  # how many are filtered out, fail, are dropped or set aside
            # Lambda reads the stream with the function's role, and checks that it may when the mapping is created.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[depends_on]),
        )


def read_workflows(definitions: Sequence[dict[str, Any]], services: Collection[str]) -> str:
    """Return the canonical JSON of `definitions`. Raises ProgramError for one that could not run here."""
    workflows: dict[str, Workflow] = {}
    for definition in definitions:
        try:
            workflow = Workflow.from_json(definition)
        except WorkflowError as exc:
            raise ProgramError(f"workflow {definition.get('name')!r}: {exc}") from None
        if workflow.name in workflows:
            raise ProgramError(f"workflow {workflow.name!r}: is declared twice")
        for task_id, task in workflow.tasks.items():
            if task.service not in services:
                deployed = ", ".join(sorted(services))
                raise ProgramError(
                    f"workflow {workflow.name!r}: task {task_id} names the service {task.service!r}, which is not"
                    f" deployed; the services are {deployed}"
                )
        workflows[workflow.name] = workflow
    return json.dumps([workflows[name].to_json() for name in sorted(workflows)], sort_keys=True, separators=(",", ":"))
