"""What every state machine here needs beside its definition: a name, a log group, and a role that it alone has."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws.cloudwatch as cloudwatch
import pulumi_aws.iam as iam

from components import arns, policies
from components.errors import ProgramError
from components.functions import MAX_NAME
from components.settings import FunctionDefaults
from orchestration.settings import LOG_GROUPS

MAX_MACHINE_NAME = 80

# With these alone in its name a state machine can log.
# Source: docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html, "name" (2026).
MACHINE_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class MachineParts:
    """The resources that a state machine needs before it can be made."""

    log_group: cloudwatch.LogGroup
    role: iam.Role
    policy: iam.RolePolicy


def flow_prefix() -> str:
    """Return what the name of each state machine of this stack begins with. Raises ProgramError if none could."""
    prefix = f"{pulumi.get_project()}-{pulumi.get_stack()}-"
    if not MACHINE_NAME.fullmatch(prefix):
        raise ProgramError(
            f"state machines are named {prefix}<workflow>, and one that logs has nothing but A-Z a-z 0-9 _ - in its"
            " name; give the project or the stack such a name"
        )
    if len(prefix) >= MAX_MACHINE_NAME:
        raise ProgramError(
            f"state machines are named {prefix}<workflow>, in at most {MAX_MACHINE_NAME} characters, and none is left"
            " for the workflow; give the project or the stack a shorter name"
        )
    return prefix


def machine_name(workflow: str) -> str:
    """Return the name of a workflow's state machine. Raises ProgramError if that is too long."""
    name = f"{flow_prefix()}{workflow}"
    if len(name) > MAX_MACHINE_NAME:
        raise ProgramError(
            f"workflow {workflow!r}: its state machine {name} has a name of {len(name)} characters, and the limit is"
            f" {MAX_MACHINE_NAME}; give the workflow, the project or the stack a shorter name"
        )
    return name


def make_machine_parts(
    name: str,
    *,
    parent: pulumi.Resource,
    defaults: FunctionDefaults,
    machines: str,
    log_group: str,
    function_arns: Sequence[pulumi.Input[str]],
) -> MachineParts:
    """Return a log group, and a role for the state machines of the name or pattern `machines`, and for no others.

    They may invoke `function_arns`, of which there is at least one, and nothing else. The group is `log_group` below
    that of all state machines.
    """
    if len(name) > MAX_NAME:
        raise ProgramError(f"{name}: is {len(name)} characters, and a role's name has at most {MAX_NAME}; shorten it")
    child = pulumi.ResourceOptions(parent=parent)
    group = cloudwatch.LogGroup(
        name, name=f"{LOG_GROUPS}/{log_group}", retention_in_days=defaults["log_retention_days"], opts=child
    )
    functions = pulumi.Output.all(*function_arns)
    trust = pulumi.Output.all(
        account_id=defaults["account_id"],
        machine_arn=functions.apply(lambda known: arns.beside(known[0], "states", f"stateMachine:{machines}")),
    ).apply(lambda known: policies.states_trust(**known))
    role = iam.Role(name, assume_role_policy=pulumi.Output.json_dumps(trust), opts=child)
    document = functions.apply(lambda known: policies.state_machine(function_arns=known))
    policy = iam.RolePolicy(name, role=role.name, policy=pulumi.Output.json_dumps(document), opts=child)
    return MachineParts(log_group=group, role=role, policy=policy)
