"""Every resource of the program keeps every rule, for each stack; and each rule takes what is right and finds what not.

C1, C2, C8 to C10 and C12 of the security bar, without any tool.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import policies
from tests.security import rules
from tests.security.grants import grants
from tests.security.rules import RULES, Rule
from tests.snapshot import Registered, Secret, Snapshot
from tests.test_main import ROOT, run

ACCOUNT, US = "123456789012", "us-east-1:123456789012"
QUEUE_ARN = f"arn:aws:sqs:{US}:work-1234567"
TOPIC_ARN = f"arn:aws:sns:{US}:alarms-1234567"
GROUP_ARN = f"arn:aws:logs:{US}:log-group:own"
TABLE_ARN = f"arn:aws:dynamodb:{US}:table/runs"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/flows"

PRODUCTION = {
    "logRetentionDays": "365",
    "protectData": "true",
    "workerMaximumConcurrency": "200",
    "registerFlows": "true",
    "alarmEmail": "ops@example.com",
}
EXPRESS = {"flowType": "EXPRESS", "monitoring": "false", "architecture": "x86_64"}


def of_stack(file: Path) -> dict[str, str]:
    """Return the project's settings in a stack's file, as Pulumi gives them to a program."""
    settings: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))["config"]
    return {
        key.removeprefix("orchestra:"): value if isinstance(value, str) else json.dumps(value)
        for key, value in settings.items()
        if key.startswith("orchestra:")
    }


STACKS: dict[str, dict[str, str]] = {
    "defaults": {},
    "like production": PRODUCTION,
    "express": EXPRESS,
    **{file.name: of_stack(file) for file in sorted(ROOT.glob("Pulumi.*.yaml"))},
}


@pytest.fixture(name="snap", scope="module", params=list(STACKS.values()), ids=list(STACKS))
def _snap(request: pytest.FixtureRequest) -> Snapshot:
    return run(**request.param)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_resource_keeps_the_rule(snap: Snapshot, rule: Rule) -> None:
    assert rule(snap.resources) == []


def test_there_is_something_to_judge(snap: Snapshot) -> None:
    typs = {r.typ for r in snap.resources}
    assert {rules.FUNCTION, rules.LOG_GROUP, rules.MACHINE, rules.QUEUE, rules.ROLE, rules.TABLE} <= typs
    of = {grant.resource.typ for grant in grants(snap.resources)}
    assert {rules.ROLE, rules.ROLE_POLICY, rules.QUEUE_POLICY} <= of
    assert (rules.TOPIC_POLICY in of) == (rules.TOPIC in typs)


def test_the_stacks_of_the_files_are_among_those_that_are_judged() -> None:
    assert {"Pulumi.dev.yaml", "Pulumi.local.yaml"} <= STACKS.keys()
    assert STACKS["Pulumi.local.yaml"]["registerFlows"] == "true"


def test_every_exception_is_needed_and_says_why() -> None:
    """One that nothing needs any more would let through what comes next."""
    programs = [run(**settings).resources for settings in STACKS.values()]
    stored = {
        r.typ for program in programs for r in program if r.typ in rules.STORES and not rules.has_customers_key(r)
    }
    assert stored == rules.NOT_WITH_A_CUSTOMERS_KEY.keys()
    on_all = {a for p in programs for grant in grants(p) if grant.resources == ["*"] for a in grant.actions}
    assert on_all == rules.WITHOUT_RESOURCE.keys()
    assert all([*rules.NOT_WITH_A_CUSTOMERS_KEY.values(), *rules.WITHOUT_RESOURCE.values()])


def resource(typ: str, name: str = "x", /, **inputs: Any) -> Registered:
    return Registered(typ, name, f"urn:{typ}::{name}", "", True, inputs, None, False, frozenset())  # noqa: FBT003


def role_policy(*statements: policies.Statement) -> Registered:
    return resource(rules.ROLE_POLICY, role="x-1234567", policy=json.dumps(policies._document(*statements)))


def allow(action: str, on: str, **others: Any) -> Registered:
    return role_policy({"Sid": "S", "Effect": "Allow", "Action": action, "Resource": on, **others})


def trust(document: policies.Document) -> Registered:
    return resource(rules.ROLE, assumeRolePolicy=json.dumps(document))


def function(name: str = "x", **inputs: Any) -> Registered:
    return resource(rules.FUNCTION, name, **inputs)


def variable(name: str, value: object) -> list[Registered]:
    return [function(environment={"variables": {name: value}})]


def permission(**inputs: Any) -> list[Registered]:
    return [resource(rules.PERMISSION, action="lambda:InvokeFunction", **inputs)]


def queue(policy: policies.Document | None) -> list[Registered]:
    found = resource(rules.QUEUE, "work", sqsManagedSseEnabled=True)
    return [found, *([resource(rules.QUEUE_POLICY, policy=json.dumps(policy))] if policy else [])]


def topic(*statements: policies.Statement) -> list[Registered]:
    policy = json.dumps(policies._document(*statements))
    return [resource(rules.TOPIC, "alarms"), resource(rules.TOPIC_POLICY, policy=policy)]


TLS = policies.tls_only(QUEUE_ARN)
[RING, TOPIC_TLS] = policies.alarm_topic(topic_arn=TOPIC_ARN, account_id=ACCOUNT)["Statement"]
PASS = {"Condition": {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}}}
LAMBDA = policies.lambda_trust(ACCOUNT)
ANYONES = {"Statement": [{k: v for k, v in LAMBDA["Statement"][0].items() if k != "Condition"}]}

EXAMPLES: dict[Rule, tuple[list[Registered], dict[str, list[Registered]]]] = {
    rules.no_action_is_a_pattern: (
        [allow("sqs:SendMessage", QUEUE_ARN), role_policy(TLS["Statement"][0])],  # what denies may deny all
        {
            "all": [allow("*", QUEUE_ARN)],
            "a service's": [allow("sqs:*", QUEUE_ARN)],
            "a verb's": [allow("dynamodb:Get*", TABLE_ARN)],
            "a letter": [allow("dynamodb:GetIte?", TABLE_ARN)],
            "all others": [role_policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": QUEUE_ARN})],
        },
    ),
    rules.only_actions_without_resource_are_granted_on_all: (
        [
            role_policy(policies.XRAY, policies.LOG_DELIVERY),
            allow("states:StartExecution", f"arn:aws:states:{US}:stateMachine:orchestra-dev-*"),
            allow("logs:PutLogEvents", f"{GROUP_ARN}:*"),
        ],
        {
            "all": [allow("sqs:SendMessage", "*")],
            "a kind": [allow("sqs:SendMessage", f"arn:aws:sqs:{US}:*")],
            "a kind of several": [allow("dynamodb:GetItem", f"arn:aws:dynamodb:{US}:table/*")],
            "every account": [allow("dynamodb:GetItem", "arn:aws:dynamodb:*:*:table/runs")],
            "X-Ray by a pattern": [allow("xray:PutTraceSegments", "arn:aws:xray:*")],
            "all others": [role_policy({"Effect": "Allow", "Action": "sqs:SendMessage", "NotResource": QUEUE_ARN})],
        },
    ),
    rules.every_function_has_its_own_role: (
        [function("a", role=f"{ROLE_ARN}-a"), function("b", role=f"{ROLE_ARN}-b")],
        {
            "two functions": [function("a", role=ROLE_ARN), function("b", role=ROLE_ARN)],
            "with a machine": [function("a", role=ROLE_ARN), resource(rules.MACHINE, roleArn=ROLE_ARN)],
        },
    ),
    rules.every_grant_is_seen: (
        [trust(LAMBDA), role_policy(policies.XRAY)],
        {
            "managed": [resource(rules.ROLE, managedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"])],
            "inline": [resource(rules.ROLE, inlinePolicies=[{"policy": "{}"}])],
            "attached": [resource("aws:iam/rolePolicyAttachment:RolePolicyAttachment")],
            "of a user": [resource("aws:iam/userPolicy:UserPolicy")],
        },
    ),
    rules.services_act_for_a_source: (
        [
            trust(LAMBDA),
            trust(policies.states_trust(account_id=ACCOUNT, machine_arn=f"arn:aws:states:{US}:stateMachine:x-*")),
            *topic(RING),
            *permission(principal="s3.amazonaws.com", sourceArn="arn:aws:s3:::b", sourceAccount=ACCOUNT),
        ],
        {
            "a trust": [trust(ANYONES)],
            "a trust in any account": [trust(policies.lambda_trust("*"))],
            "a topic": topic({**RING, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}),
            "a queue": queue({"Statement": [{**RING, "Action": "sqs:SendMessage", "Condition": {}}]}),
            "a permission": permission(principal="s3.amazonaws.com", sourceArn="arn:aws:s3:::b"),
        },
    ),
    rules.nobody_is_public: (
        [
            *queue(TLS),
            *permission(principal=ACCOUNT),
            resource(rules.URL, authorizationType="AWS_IAM"),
        ],
        {
            "a URL": [resource(rules.URL, authorizationType="NONE")],
            "a URL by default": [resource(rules.URL)],
            "a queue": queue({"Statement": [{**RING, "Principal": "*"}]}),
            "a topic": topic({**RING, "Principal": {"AWS": ["*"]}}),
            "all others": [trust({"Statement": [{"Effect": "Allow", "NotPrincipal": {"AWS": ROLE_ARN}}]})],
            "a permission": permission(principal="*"),
        },
    ),
    rules.queues_and_topics_are_reached_over_tls_alone: (
        [*queue(TLS), *topic(RING, TOPIC_TLS)],
        {
            "no policy": queue(None),
            "of another queue": queue(policies.tls_only(f"{QUEUE_ARN}-other")),
            "of one action": queue({"Statement": [{**TLS["Statement"][0], "Action": "sqs:SendMessage"}]}),
            "allowed": queue({"Statement": [{**TLS["Statement"][0], "Effect": "Allow"}]}),
            "a topic": topic(RING),
        },
    ),
    rules.data_is_encrypted: (
        [
            *queue(None),
            resource(rules.QUEUE, "own", kmsMasterKeyId="key"),
            resource("aws:s3/bucket:Bucket", "own", kmsKeyId="key"),
        ],
        {
            "a queue": [resource(rules.QUEUE, sqsManagedSseEnabled=False)],
            "a queue by default": [resource(rules.QUEUE)],
            "what has no exception": [resource("aws:s3/bucket:Bucket")],
        },
    ),
    rules.tables_can_be_restored: (
        [resource(rules.TABLE, pointInTimeRecovery={"enabled": True})],
        {"off": [resource(rules.TABLE, pointInTimeRecovery={"enabled": False})], "default": [resource(rules.TABLE)]},
    ),
    rules.logs_are_kept_for_a_time: (
        [resource(rules.LOG_GROUP, name="own", retentionInDays=1), function(loggingConfig={"logGroup": "own"})],
        {
            "for ever": [resource(rules.LOG_GROUP, name="own", retentionInDays=0)],
            "by default": [resource(rules.LOG_GROUP, name="own")],
            "a group that is made by itself": [function()],
        },
    ),
    rules.roles_are_passed_to_one_service: (
        [allow("iam:PassRole", ROLE_ARN, **PASS)],
        {
            "to anyone": [allow("iam:PassRole", ROLE_ARN)],
            "any role": [allow("iam:passrole", f"arn:aws:iam::{ACCOUNT}:role/*", **PASS)],
            "to a pattern": [
                allow("iam:PassRole", ROLE_ARN, Condition={"StringLike": {"iam:PassedToService": "*.amazonaws.com"}})
            ],
        },
    ),
    rules.state_machines_log_no_data: (
        [resource(rules.MACHINE, loggingConfiguration={"level": "ALL", "includeExecutionData": False})],
        {
            "on": [resource(rules.MACHINE, loggingConfiguration={"level": "ALL", "includeExecutionData": True})],
            "not said": [resource(rules.MACHINE)],
        },
    ),
    rules.variables_hold_no_secret: (
        [
            *variable("QUEUE_URL", f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/work"),
            *variable("DB_SECRET", f"arn:aws:secretsmanager:{US}:secret:db-AbCdEf"),
        ],
        {
            "by its name": variable("DB_PASSWORD", "hunter2"),
            "by its value": variable("WHERE", "AKIA" + "Q" * 16),
            "in a URL": variable("WHERE", "postgres://me:hunter2@db/runs"),
            "that Pulumi encrypts": variable("WHERE", Secret("hunter2")),
        },
    ),
}


def test_every_rule_has_examples() -> None:
    assert list(EXAMPLES) == list(RULES)
    assert len({rule.__name__ for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_takes_what_is_right(rule: Rule) -> None:
    assert rule(EXAMPLES[rule][0]) == []


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        pytest.param(rule, broken, id=f"{rule.__name__}-{name}")
        for rule, (_, failing) in EXAMPLES.items()
        for name, broken in failing.items()
    ],
)
def test_a_rule_finds_what_breaks_it_once_and_says_where_and_how_to_mend_it(
    rule: Callable[[list[Registered]], list[str]], broken: list[Registered]
) -> None:
    [problem] = rule(broken)
    assert any(problem.startswith(f"{r.typ} {r.name}") or r.inputs.get("role", " ") in problem for r in broken)
    assert "\n" not in problem
    assert "hunter2" not in problem
