"""RegisteredFlows: what the state machines of registered workflows have in common; the Orchestrator makes them."""

from collections.abc import Mapping
from typing import TypedDict

import pulumi

from components.settings import FunctionDefaults
from components.state_machines import flow_prefix, make_machine_parts


class RegisteredFlowsArgs(TypedDict):
    function_arns: Mapping[str, pulumi.Input[str]]
    """The ARN of each service's function: a registered workflow may name any of them."""

    defaults: FunctionDefaults


class FlowRegistration(TypedDict):
    """What a state machine of a registered workflow is made with."""

    role_arn: pulumi.Input[str]
    log_group_arn: pulumi.Input[str]


class RegisteredFlows(pulumi.ComponentResource):
    """The role and the log group of all of them.

    They are named as the stack's own, so that a stack whose name is another's with `-` and more behind it shares that
    part of the names: `dev-2` with `dev`.
    """

    role_arn: pulumi.Output[str]
    log_group_arn: pulumi.Output[str]

    def __init__(self, name: str, args: RegisteredFlowsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("orchestra:components:RegisteredFlows", name, None, opts)
        prefix = flow_prefix()
        parts = make_machine_parts(
            name,
            parent=self,
            defaults=args["defaults"],
            machines=f"{prefix}*",
            log_group=f"{prefix.removesuffix('-')}/registered",  # with a `/`, which no workflow has in its name
            function_arns=[args["function_arns"][service] for service in sorted(args["function_arns"])],
        )
        self.log_group, self.role = parts.log_group, parts.role
        # Whoever makes a state machine with this role may count on its permissions.
        self.role_arn = pulumi.Output.all(self.role.arn, parts.policy.id).apply(lambda known: known[0])
        self.log_group_arn = self.log_group.arn
        self.registration: FlowRegistration = {"role_arn": self.role_arn, "log_group_arn": self.log_group_arn}
        self.register_outputs({**self.registration})
