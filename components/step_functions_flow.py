"""StepFunctionsFlow: one workflow as a state machine of Step Functions, which does it with the same task services."""

from collections.abc import Mapping
from typing import Any, TypedDict

import pulumi
import pulumi_aws.sfn as sfn

from components.errors import ProgramError
from components.settings import FLOW_TYPES, FunctionDefaults
from components.state_machines import machine_name, make_machine_parts
from components.workflows import read_workflow
from orchestration import asl
from orchestration.errors import WorkflowError
from orchestration.workflow import Workflow

# A Standard run can be asked for, so that its log has to say only what went wrong. The log is all that is kept of an
# Express run. Neither holds inputs and outputs, which may be anybody's data.
LOG_LEVELS = {"STANDARD": "ERROR", "EXPRESS": "ALL"}

# In place of the ARNs that are not known before the deploy, and as long as any can be.
STAND_IN = f"arn:aws-us-gov:lambda:ap-southeast-1:123456789012:function:{'x' * 64}"


class StepFunctionsFlowArgs(TypedDict):
    workflow: dict[str, Any]
    """The workflow, as `Workflow.to_json` writes it."""

    function_arns: Mapping[str, pulumi.Input[str]]
    """The ARN of each service's function. The state machine may invoke those that its tasks name, and no others."""

    type: str
    """STANDARD or EXPRESS; a change of it replaces the state machine, and ends what runs in it."""

    defaults: FunctionDefaults


class StepFunctionsFlow(pulumi.ComponentResource):
    """The state machine, its role and its log group."""

    state_machine_arn: pulumi.Output[str]

    def __init__(self, name: str, args: StepFunctionsFlowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("orchestra:components:StepFunctionsFlow", name, None, opts)
        if args["type"] not in FLOW_TYPES:
            raise ProgramError(f"{name}: type is {args['type']!r}, and must be one of {', '.join(FLOW_TYPES)}")
        workflow = read_workflow(args["workflow"], args["function_arns"])
        compiled(workflow, dict.fromkeys(workflow.services, STAND_IN))  # also in a preview, which knows no ARNs
        machine = machine_name(workflow.name)
        functions = {service: args["function_arns"][service] for service in sorted(workflow.services)}
        parts = make_machine_parts(
            name,
            parent=self,
            defaults=args["defaults"],
            machines=machine,
            log_group=machine,
            function_arns=list(functions.values()),
        )
        self.log_group, self.role = parts.log_group, parts.role
        self.state_machine = sfn.StateMachine(
            name,
            name=machine,
            type=args["type"],
            role_arn=self.role.arn,
            definition=pulumi.Output.all(**functions).apply(lambda known: compiled(workflow, known)),
            logging_configuration={
                "level": LOG_LEVELS[args["type"]],
                "include_execution_data": False,
                "log_destination": self.log_group.arn.apply(lambda arn: f"{arn}:*"),
            },
            tracing_configuration={"enabled": True},
            opts=pulumi.ResourceOptions(
                parent=self,
                # Step Functions checks that the role may deliver the log when the state machine is created.
                depends_on=[parts.policy],
                delete_before_replace=True,  # there cannot be two of one name
            ),
        )
        self.state_machine_arn = self.state_machine.arn
        self.register_outputs({"state_machine_arn": self.state_machine_arn})


def compiled(workflow: Workflow, function_arns: Mapping[str, str]) -> str:
    """Return the text of the state machine's definition. Raises ProgramError if Step Functions could not take it."""
    try:
        return asl.compile_workflow(workflow, function_arns).text
    except WorkflowError as exc:
        raise ProgramError(f"workflow {workflow.name!r}: cannot be a StepFunctionsFlow: {exc}") from None
