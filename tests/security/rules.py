"""What must hold for every program that is deployed: each rule returns what breaks it, in one line each. Pure.

A rule reads resources as the engine would see them (tests/snapshot.py), so that it judges what is deployed, whichever
component made it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.security.grants import Grant, as_list, condition_values, grants, physical_name
from tests.snapshot import Registered, Secret

Program = Sequence[Registered]
Rule = Callable[[Program], list[str]]

FUNCTION = "aws:lambda/function:Function"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
MACHINE = "aws:sfn/stateMachine:StateMachine"
PERMISSION = "aws:lambda/permission:Permission"
QUEUE = "aws:sqs/queue:Queue"
QUEUE_POLICY = "aws:sqs/queuePolicy:QueuePolicy"
REPOSITORY = "aws:ecr/repository:Repository"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
TABLE = "aws:dynamodb/table:Table"
TOPIC = "aws:sns/topic:Topic"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
URL = "aws:lambda/functionUrl:FunctionUrl"

WITHOUT_RESOURCE: Mapping[str, str] = {
    # Source: the Service Authorization Reference, "Actions defined by AWS X-Ray" (2026): no resource types.
    **dict.fromkeys(
        (
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ),
        "X-Ray's actions support no resource",
    ),
    # Sources: docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html, "IAM policies for logging" (2026), which has
    # them on all resources; and components/policies.py.
    **dict.fromkeys(
        (
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeLogGroups",
            "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
        ),
        "Step Functions asks for the deliveries of vended logs on all resources",
    ),
}
"""The actions that may be granted on `*`, and why."""

NOT_WITH_A_CUSTOMERS_KEY: Mapping[str, str] = {
    TABLE: "DynamoDB encrypts every table with a key that AWS owns",
    QUEUE: "SQS encrypts with its own keys (sqsManagedSseEnabled)",
    TOPIC: "not encrypted: it carries the texts of alarms, and never a payload; CloudWatch can't use the key aws/sns",
    LOG_GROUP: "CloudWatch Logs encrypts every log group with its own keys",
    FUNCTION: "Lambda encrypts variables with the key aws/lambda, and there is no secret in any",
    REPOSITORY: "ECR encrypts images with its own keys (AES256)",
}
"""What may do without a key of the customer's, and why."""

SECRET_NAME = re.compile(r"(?i)(secret|passw|passphrase|token|api_?key|private_?key|credential)")
SECRET_VALUE = re.compile(
    r"(?:AKIA|ASIA)[0-9A-Z]{16}"  # access keys of AWS
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|(?:ghp|gho|ghs|github_pat|glpat|sk_live|xox[abprs])[_-]\w{10,}"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\."  # JSON Web Tokens
    r"|://[^/\s:@]+:[^/\s:@]+@"  # a password in a URL
)


def no_action_is_a_pattern(program: Program) -> list[str]:
    """`*` in an action grants what AWS will invent next year."""
    return [
        f"{grant.where}: allows {action!r}; name the actions"
        for grant in grants(program)
        if grant.allows
        for action in [*grant.actions, *(["NotAction"] if "NotAction" in grant.statement else [])]
        if "*" in action or "?" in action or action == "NotAction"
    ]


def only_actions_without_resource_are_granted_on_all(program: Program) -> list[str]:
    """A service's whole kind (`arn:aws:sqs:*`) is all, too."""
    return [
        f"{grant.where}: allows {action!r} on {arn!r}; name the resources"
        for grant in grants(program)
        if grant.allows
        for arn in [*grant.resources, *(["NotResource"] if "NotResource" in grant.statement else [])]
        for action in grant.actions
        if arn == "NotResource" or (_is_all(arn) and not (arn == "*" and action in WITHOUT_RESOURCE))
    ]


def _is_all(arn: str) -> bool:
    """Return whether an ARN names no resource: it is a pattern before anything of the resource's name is said."""
    resource = arn.split(":", 5)[-1]
    return "*" in arn.removesuffix(resource) or re.fullmatch(r"(?:[\w-]+[:/])?\*.*", resource) is not None


def every_function_has_its_own_role(program: Program) -> list[str]:
    holders: dict[str, list[str]] = {}
    for resource in program:
        role = resource.inputs.get("role") if resource.typ == FUNCTION else resource.inputs.get("roleArn")
        if isinstance(role, str):
            holders.setdefault(role, []).append(f"{resource.typ} {resource.name}")
    return [f"{role} is the role of {' and '.join(of)}; give each its own" for role, of in holders.items() if of[1:]]


def every_grant_is_seen(program: Program) -> list[str]:
    """What a role may do is in its own policy, where these rules, and people, read it."""
    elsewhere = ("managedPolicyArns", "inlinePolicies")
    typs = re.compile(r"aws:iam/(?!role:|rolePolicy:)|aws:kms/grant:")
    return [
        *(
            f"{r.typ} {r.name}: has {key}; write a RolePolicy"
            for r in program
            for key in elsewhere
            if r.inputs.get(key)
        ),
        *(f"{r.typ} {r.name}: is not read by these rules; write a RolePolicy" for r in program if typs.match(r.typ)),
    ]


def services_act_for_a_source(program: Program) -> list[str]:
    """Without it a service can be talked into it by anyone's resources: the confused deputy.

    Source: docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html (2026).
    """
    return [
        f"{grant.where}: {service} needs no aws:SourceAccount or aws:SourceArn; name the account"
        for grant in grants(program)
        if grant.allows
        for service in grant.services
        if not _names_source(grant)
    ] + [
        f"{r.typ} {r.name}: {r.inputs.get('principal')} needs sourceArn and sourceAccount"
        for r in program
        if r.typ == PERMISSION
        and str(r.inputs.get("principal")).endswith(".amazonaws.com")
        and not (r.inputs.get("sourceArn") and r.inputs.get("sourceAccount"))
    ]


def _names_source(grant: Grant) -> bool:
    """Return whether an account is named, by itself or in an ARN."""
    accounts = condition_values(grant.statement, "aws:SourceAccount")
    arns = [(arn.split(":", 5) + [""] * 6)[4] for arn in condition_values(grant.statement, "aws:SourceArn")]
    named = [*accounts, *arns]
    return bool(named) and all(re.fullmatch(r"\d{12}", account) for account in named)


def nobody_is_public(program: Program) -> list[str]:
    """A function's URL is signed for, and nothing is allowed to everybody."""
    return [
        *(
            f"{grant.where}: allows everybody; name who it is for"
            for grant in grants(program)
            if grant.allows and _is_everybody(grant.statement)
        ),
        *(
            f"{r.typ} {r.name}: authorizationType is {r.inputs.get('authorizationType')}; only AWS_IAM is taken"
            for r in program
            if r.typ == URL and r.inputs.get("authorizationType") != "AWS_IAM"
        ),
        *(
            f"{r.typ} {r.name}: allows everybody; name who it is for"
            for r in program
            if r.typ == PERMISSION and r.inputs.get("principal") == "*"
        ),
    ]


def _is_everybody(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal", {})
    named = [principal] if isinstance(principal, str) else [v for values in principal.values() for v in as_list(values)]
    return "*" in named or "NotPrincipal" in statement


def queues_and_topics_are_reached_over_tls_alone(program: Program) -> list[str]:
    """A statement denies every action on it (of a topic: Publish, the one that carries data) without TLS."""
    wanted = {QUEUE: "sqs:*", TOPIC: "sns:Publish"}
    denied = {
        (action, arn.rsplit(":", 1)[-1])
        for grant in grants(program)
        if grant.resource.typ in {QUEUE_POLICY, TOPIC_POLICY} and _denies_all_without_tls(grant)
        for action in grant.actions
        for arn in grant.resources
    }
    return [
        f"{r.typ} {r.name}: is reached without TLS; deny {wanted[r.typ]} where aws:SecureTransport is false"
        for r in program
        if r.typ in wanted and (wanted[r.typ], physical_name(r)) not in denied
    ]


def _denies_all_without_tls(grant: Grant) -> bool:
    return (
        not grant.allows
        and _is_everybody(grant.statement)
        and grant.statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    )


def data_is_encrypted(program: Program) -> list[str]:
    """At rest, on queues, and with a key of the customer's but for what NOT_WITH_A_CUSTOMERS_KEY names."""
    return [
        f"{r.typ} {r.name}: is not encrypted; set sqsManagedSseEnabled, or a key"
        for r in program
        if r.typ == QUEUE and not (r.inputs.get("sqsManagedSseEnabled") or r.inputs.get("kmsMasterKeyId"))
    ] + [
        f"{r.typ} {r.name}: is not encrypted with a customer's key, and it is not said why"
        for r in program
        if r.typ in STORES and not has_customers_key(r) and r.typ not in NOT_WITH_A_CUSTOMERS_KEY
    ]


STORES = frozenset(
    {FUNCTION, LOG_GROUP, QUEUE, REPOSITORY, TABLE, TOPIC, "aws:s3/bucket:Bucket", "aws:secretsmanager/secret:Secret"}
)


def has_customers_key(resource: Registered) -> bool:
    inputs = resource.inputs
    in_table = (inputs.get("serverSideEncryption") or {}).get("kmsKeyArn")
    in_repository = [c.get("kmsKey") for c in inputs.get("encryptionConfigurations") or []]
    return any(
        [inputs.get("kmsKeyId"), inputs.get("kmsMasterKeyId"), inputs.get("kmsKeyArn"), in_table, *in_repository]
    )


def tables_can_be_restored(program: Program) -> list[str]:
    return [
        f"{r.typ} {r.name}: cannot be restored; turn pointInTimeRecovery on"
        for r in program
        if r.typ == TABLE and not (r.inputs.get("pointInTimeRecovery") or {}).get("enabled")
    ]


def logs_are_kept_for_a_time(program: Program) -> list[str]:
    """A function whose log group is not in the program logs to one that keeps everything for ever."""
    groups = {r.inputs.get("name") for r in program if r.typ == LOG_GROUP}
    return [
        *(
            f"{r.typ} {r.name}: keeps logs for ever; set retentionInDays"
            for r in program
            if r.typ == LOG_GROUP and not r.inputs.get("retentionInDays")
        ),
        *(
            f"{r.typ} {r.name}: logs to a group that the program does not make"
            for r in program
            if r.typ == FUNCTION and (r.inputs.get("loggingConfig") or {}).get("logGroup") not in groups
        ),
    ]


def roles_are_passed_to_one_service(program: Program) -> list[str]:
    """Whoever passes a role can do what it may: it is named, and so is the service that gets it."""
    return [
        f"{grant.where}: passes {', '.join(grant.resources)} to {', '.join(to) or 'anyone'}; name the role and the"
        " service (iam:PassedToService)"
        for grant in grants(program)
        if grant.allows and "iam:passrole" in {action.lower() for action in grant.actions}
        for to in [condition_values(grant.statement, "iam:PassedToService")]
        if not to or any("*" in name for name in [*to, *grant.resources])
    ]


def state_machines_log_no_data(program: Program) -> list[str]:
    return [
        f"{r.typ} {r.name}: logs inputs and outputs; set includeExecutionData to false"
        for r in program
        if r.typ == MACHINE and (r.inputs.get("loggingConfiguration") or {}).get("includeExecutionData") is not False
    ]


def variables_hold_no_secret(program: Program) -> list[str]:
    """Whoever may read a function's configuration reads its variables. The value itself is not repeated here."""
    return [
        f"{r.typ} {r.name}: the variable {name} looks like a secret; keep it in Secrets Manager, and name it here"
        for r in program
        if r.typ == FUNCTION
        for name, value in ((r.inputs.get("environment") or {}).get("variables") or {}).items()
        if _is_secret(name, value)
    ]


def _is_secret(name: str, value: object) -> bool:
    """Return whether it looks like one. A reference, which is an ARN, is none."""
    if isinstance(value, Secret):
        return True
    if isinstance(value, str) and value.startswith("arn:"):
        return False
    return bool(SECRET_NAME.search(name) or SECRET_VALUE.search(str(value)))


RULES: tuple[Rule, ...] = (
    no_action_is_a_pattern,
    only_actions_without_resource_are_granted_on_all,
    every_function_has_its_own_role,
    every_grant_is_seen,
    services_act_for_a_source,
    nobody_is_public,
    queues_and_topics_are_reached_over_tls_alone,
    data_is_encrypted,
    tables_can_be_restored,
    logs_are_kept_for_a_time,
    roles_are_passed_to_one_service,
    state_machines_log_no_data,
    variables_hold_no_secret,
)
