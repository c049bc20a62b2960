"""One Lambda function with a role and a log group of its own: what every component here is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws.cloudwatch as cloudwatch
import pulumi_aws.iam as iam
import pulumi_aws.lambda_ as lambda_

from components import policies
from components.errors import ProgramError
from components.settings import FunctionDefaults

MAX_NAME = 64 - len("-1234567")  # of a function or role, less what Pulumi appends to make it unique
MEMORY_MB = range(128, 10_241)
TIMEOUT_S = range(1, 901)


@dataclass(frozen=True, kw_only=True)
class ZipCode:
    """Code that Lambda unpacks and runs."""

    archive: pulumi.Archive
    handler: str
    runtime: str


@dataclass(frozen=True, kw_only=True)
class ImageCode:
    """Code that is a container image. The image says what to run."""

    uri: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class FunctionParts:
    """The resources of one function."""

    log_group: cloudwatch.LogGroup
    role: iam.Role
    policy: iam.RolePolicy
    function: lambda_.Function


def make_function(
    name: str,
    *,
    parent: pulumi.Resource,
    defaults: FunctionDefaults,
    description: str,
    code: ZipCode | ImageCode,
    memory_mb: int,
    timeout_s: int,
    environment: Mapping[str, pulumi.Input[str]] | None = None,
    statements: pulumi.Input[Sequence[policies.Statement]] = (),
) -> FunctionParts:
    """Return a function that logs to its own group, and may do `statements` and no more.

    The group and the policy exist before the function, so that its first invocation finds both.
    """
    _require(name, memory_mb=memory_mb, timeout_s=timeout_s)
    log_group = _log_group(name, parent, defaults["log_retention_days"])
    role, policy = _role(name, parent, defaults["account_id"], log_group, statements)
    function = lambda_.Function(
        name,
        description=description,
        architectures=[defaults["architecture"]],
        **_code(code),
        role=role.arn,
        memory_size=memory_mb,
        timeout=timeout_s,
        environment={"variables": environment} if environment else None,
        tracing_config={"mode": "Active"},
        logging_config={
            "log_format": "JSON",
            "application_log_level": defaults["log_level"],
            "system_log_level": "INFO",  # its reports say what was billed
            "log_group": log_group.name,
        },
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[policy]),
    )
    return FunctionParts(log_group=log_group, role=role, policy=policy, function=function)


def _log_group(name: str, parent: pulumi.Resource, retention_days: int) -> cloudwatch.LogGroup:
    """Return a group that is named for the project and the stack.

    Under the function's own name, which is not known before it exists, Lambda would create a group without retention.
    """
    return cloudwatch.LogGroup(
        name,
        name=f"/aws/lambda/{pulumi.get_project()}-{pulumi.get_stack()}-{name}",
        retention_in_days=retention_days,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _role(
    name: str,
    parent: pulumi.Resource,
    account_id: pulumi.Input[str],
    log_group: cloudwatch.LogGroup,
    statements: pulumi.Input[Sequence[policies.Statement]],
) -> tuple[iam.Role, iam.RolePolicy]:
    child = pulumi.ResourceOptions(parent=parent)
    trust = pulumi.Output.from_input(account_id).apply(policies.lambda_trust)
    role = iam.Role(name, assume_role_policy=pulumi.Output.json_dumps(trust), opts=child)
    document = pulumi.Output.all(log_group_arn=log_group.arn, statements=statements).apply(
        lambda known: policies.function(**known)
    )
    policy = iam.RolePolicy(name, role=role.name, policy=pulumi.Output.json_dumps(document), opts=child)
    return role, policy


def _code(code: ZipCode | ImageCode) -> dict[str, Any]:
    """Return the arguments of a Function that say what it runs."""
    match code:
        case ImageCode():
            return {"package_type": "Image", "image_uri": code.uri}
        case ZipCode():
            zipped = {"package_type": "Zip", "code": code.archive}
            return {**zipped, "handler": code.handler, "runtime": code.runtime}


def _require(name: str, *, memory_mb: int, timeout_s: int) -> None:
    if len(name) > MAX_NAME:
        raise ProgramError(f"{name}: is {len(name)} characters, and a function's name has at most {MAX_NAME}")
    if memory_mb not in MEMORY_MB:
        raise ProgramError(f"{name}: memory_mb is {memory_mb}, and must be from 128 to 10240")
    if timeout_s not in TIMEOUT_S:
        raise ProgramError(f"{name}: timeout_s is {timeout_s}, and must be from 1 to 900")
