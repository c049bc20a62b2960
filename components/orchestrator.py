"""Orchestrator: the function that starts runs, answers about them, and moves them on from the table's stream."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NotRequired

import pulumi
import pulumi_aws.lambda_ as lambda_

from components import arns, policies
from components.engine import EngineArgs, engine_code, engine_defaults, engine_environment
from components.errors import ProgramError
from components.functions import make_function
from components.queues import make_queue
from components.registered_flows import FlowRegistration
from components.workflows import read_workflow
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


# Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (2026), on a role's inline policies; white
# space does not count. What is kept for the other statements is what they take if all names are as long as can be.
MAX_POLICY_CHARACTERS = 10_240
OTHER_STATEMENTS_CHARACTERS = 4_240


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

    flow_prefix: str
    """What the name of each state machine of the stack begins with; the name of its workflow follows."""

    flow_type: str
    """The type of the state machines, STANDARD or EXPRESS; NONE, if there are none."""

    flow_arns: Mapping[str, pulumi.Input[str]]
    """The ARN of the state machine of each declared workflow that has one."""

    registered_flows: NotRequired[FlowRegistration | None]
    """Without it the Orchestrator makes no state machines, and sees none but the declared ones."""


class Orchestrator(pulumi.ComponentResource):
    """The function, its role, its place on the stream, and the queue of records that it could not handle."""

    orchestrator_arn: pulumi.Output[str]
    failed_records_url: pulumi.Output[str]

    def __init__(self, name: str, args: OrchestratorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("orchestra:components:Orchestrator", name, None, opts)
        declared = read_workflows(args["workflows"], args["services"])
        require_room(args["flow_prefix"], args["flow_arns"])
        self.failed_records = make_queue(f"{name}-failed-records", parent=self)
        parts = make_function(
            name,
            parent=self,
            defaults=engine_defaults(args),
            description="Orchestra: starts runs and moves them on",
            code=engine_code(
                "orchestrator",
                {
                    "orchestration/workflows.json": declared,
                    "orchestration/flows.json": json.dumps(sorted(args["flow_arns"])),
                },
            ),
            memory_mb=MEMORY_MB,
            timeout_s=TIMEOUT_S,
            environment={
                **engine_environment(
                    args,
                    "orchestrator",
                    queue_url=args["queue_url"],
                    dead_letters_url=args["dead_letters_url"],
                    failed_records_url=self.failed_records.url,
                ),
                **_flow_environment(args),
            },
            statements=pulumi.Output.all(self._statements(args), _flow_statements(args)).apply(
                lambda known: [*known[0], *known[1]]
            ),
        )
        self.log_group, self.role, self.function = parts.log_group, parts.role, parts.function
        self.mapping = self._mapping(name, args["stream_arn"], depends_on=parts.policy)
        self.orchestrator_arn = self.function.arn
        self.failed_records_url = self.failed_records.url
        self.register_outputs(
            {"orchestrator_arn": self.orchestrator_arn, "failed_records_url": self.failed_records_url}
        )

    def _statements(self, args: OrchestratorArgs) -> pulumi.Output[list[policies.Statement]]:
        return pulumi.Output.all(
            table_arn=args["table_arn"],
            stream_arn=args["stream_arn"],
            worker_queue_arn=args["queue_arn"],
            dead_letters_arn=args["dead_letters_arn"],
            failed_records_arn=self.failed_records.arn,
        ).apply(lambda known: policies.orchestrator(**known))

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


def _flow_environment(args: OrchestratorArgs) -> dict[str, pulumi.Input[str]]:
    """Return the variables that say where the state machines are, and with what others may be made."""
    table_arn = pulumi.Output.from_input(args["table_arn"])
    registration = args.get("registered_flows")
    return {
        "FLOW_PREFIX": args["flow_prefix"],
        "FLOW_TYPE": args["flow_type"],
        "FUNCTION_ARN_PREFIX": table_arn.apply(lambda arn: arns.beside(arn, "lambda", "function:")),
        "STATE_MACHINE_ARN_PREFIX": table_arn.apply(lambda arn: _machines(arn, args)),
        **(
            {"FLOW_ROLE_ARN": registration["role_arn"], "FLOW_LOG_GROUP_ARN": registration["log_group_arn"]}
            if registration
            else {}
        ),
    }


def _flow_statements(args: OrchestratorArgs) -> pulumi.Output[list[policies.Statement]]:
    """Return what may be done with the declared state machines alone or, with a registration, with all of the stack."""
    declared = pulumi.Output.all(*args["flow_arns"].values())
    registration = args.get("registered_flows")
    if registration is None:
        return declared.apply(lambda known: policies.flows(known) if known else [])

    def with_registration(known: dict[str, Any]) -> list[policies.Statement]:
        machines = f"{_machines(known['table_arn'], args)}*"
        register = policies.flow_registration(
            machines=machines, role_arn=known["role_arn"], declared_arns=known["declared"]
        )
        return [*policies.flows([machines]), *register]

    return pulumi.Output.all(table_arn=args["table_arn"], role_arn=registration["role_arn"], declared=declared).apply(
        with_registration
    )


def _machines(table_arn: str, args: OrchestratorArgs) -> str:
    """Return what the ARN of each of the stack's state machines begins with."""
    return arns.beside(table_arn, "states", f"stateMachine:{args['flow_prefix']}")


def require_room(flow_prefix: str, workflows: Collection[str]) -> None:
    """Raise ProgramError if the ARNs of the workflows' state machines cannot fit into the function's policy.

    They are not known before the deploy, but their names are.
    """
    machine = "arn:aws-us-gov:states:ap-southeast-1:123456789012:stateMachine:"
    longest = [f"{machine}{flow_prefix}{workflow}" for workflow in workflows]
    taken = len(json.dumps([*longest, *map(arns.executions, longest)], separators=(",", ":")))
    room = MAX_POLICY_CHARACTERS - OTHER_STATEMENTS_CHARACTERS
    if taken > room:
        raise ProgramError(
            f"workflows: the state machines of {len(longest)} take up to {taken} characters of the Orchestrator's"
            f" policy, and IAM leaves {room}; make state machines of fewer of them, or give them shorter names"
        )


def read_workflows(definitions: Sequence[dict[str, Any]], services: Collection[str]) -> str:
    """Return the canonical JSON of `definitions`. Raises ProgramError for one that could not run here."""
    workflows: dict[str, Workflow] = {}
    for definition in definitions:
        workflow = read_workflow(definition, services)
        if workflow.name in workflows:
            raise ProgramError(f"workflow {workflow.name!r}: is declared twice")
        workflows[workflow.name] = workflow
    return json.dumps([workflows[name].to_json() for name in sorted(workflows)], sort_keys=True, separators=(",", ":"))
