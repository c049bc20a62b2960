"""Every supported type, made, left alone, changed and deleted in a real emulator."""

from __future__ import annotations

import json

import pytest

from local import deployment
from local.handlers import HANDLERS
from tests.local.conftest import ROLE, Deployed, Sample

pytestmark = pytest.mark.e2e

EVERYTHING = (
    ROLE
    + """
import pulumi_aws as aws
from pulumi_docker_build import Image

changed = pulumi.Config().get_bool("changed") or False


def policy(action, **more):
    statement = {"Effect": "Allow", "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


iam.RolePolicy("inline", role=role.name, policy=policy("s3:GetObject" if changed else "s3:PutObject"))
iam.RolePolicyAttachment(
    "attached", role=role.name, policy_arn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
)
table = aws.dynamodb.Table(
    "table",
    hash_key="pk",
    billing_mode="PAY_PER_REQUEST",
    attributes=[{"name": "pk", "type": "S"}, {"name": "other", "type": "S"}],
    global_secondary_indexes=[
        {"name": "new" if changed else "old", "hash_key": "other", "projection_type": "KEYS_ONLY"}
    ],
    stream_enabled=True,
    stream_view_type="NEW_IMAGE",
    ttl={"attribute_name": "expires_at", "enabled": True},
    point_in_time_recovery={"enabled": not changed},
    deletion_protection_enabled=not changed,
    tags={"a": "b"},
)
dead = aws.sqs.Queue("dead")
queue = aws.sqs.Queue("queue", delay_seconds=2 if changed else 1, sqs_managed_sse_enabled=True)
fifo = aws.sqs.Queue("ordered", fifo_queue=True)
deny = policy("sqs:*", Principal="*", Effect="Deny", Condition={"Bool": {"aws:SecureTransport": "false"}})
aws.sqs.QueuePolicy("queue", queue_url=queue.url, policy=deny)
redrive = dead.arn.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 4 if changed else 5}))
aws.sqs.RedrivePolicy("queue", queue_url=queue.url, redrive_policy=redrive)
allow = queue.arn.apply(lambda arn: json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [arn]}))
aws.sqs.RedriveAllowPolicy("dead", queue_url=dead.url, redrive_allow_policy=allow)
logs = aws.cloudwatch.LogGroup("logs", retention_in_days=7 if changed else 1)
repository = aws.ecr.Repository("Images", force_delete=True)
kept = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2 if changed else 1}
rules = {"rules": [{"rulePriority": 1, "selection": kept, "action": {"type": "expire"}}]}
aws.ecr.LifecyclePolicy("images", repository=repository.name, policy=json.dumps(rules))
login = aws.ecr.get_authorization_token_output(registry_id=repository.registry_id)
registry = {"address": repository.repository_url, "username": login.user_name, "password": login.password}
image = Image(
    "image",
    context={"location": "container"},
    tags=[pulumi.Output.concat(repository.repository_url, ":latest")],
    push=True,
    registries=[registry],
)
aws.lambda_.Function("boxed", role=role.arn, package_type="Image", image_uri=image.ref)
function = aws.lambda_.Function(
    "function",
    role=role.arn,
    runtime="python3.13",
    handler="handler.handler",
    code=pulumi.AssetArchive({"handler.py": pulumi.StringAsset("def handler(event, context): return event")}),
    timeout=6 if changed else 5,
    tracing_config={"mode": "Active"},
    logging_config={"log_format": "JSON"},
    environment={"variables": {"CHANGED": str(changed)}},
)
failed = {"on_failure": {"destination_arn": dead.arn}}
for name, source in {"stream": table.stream_arn, "queue": queue.arn}.items():
    aws.lambda_.EventSourceMapping(
        f"from-{name}",
        event_source_arn=source,
        function_name=function.name,
        batch_size=5 if changed else 10,
        starting_position="TRIM_HORIZON" if name == "stream" else None,
        destination_config=failed if name == "stream" else None,
        function_response_types=["ReportBatchItemFailures"],
        metrics_config={"metrics": ["EventCount"]},
    )
topic = aws.sns.Topic("topic", display_name="new" if changed else "old")
aws.sns.TopicSubscription("to-queue", topic=topic.arn, protocol="sqs", endpoint=queue.arn, raw_message_delivery=changed)
speak = topic.arn.apply(
    lambda arn: policy("sns:Subscribe" if changed else "sns:Publish", Principal={"Service": "cloudwatch.amazonaws.com"})
)
aws.sns.TopicPolicy("speak", arn=topic.arn, policy=speak)
alarm = aws.cloudwatch.MetricAlarm(
    "alarm",
    namespace="AWS/Lambda",
    metric_name="Errors",
    dimensions={"FunctionName": function.name},
    statistic="Sum",
    period=60,
    evaluation_periods=2,
    comparison_operator="GreaterThanThreshold",
    threshold=5 if changed else 0,
    treat_missing_data="notBreaching",
    alarm_description="errors",
    alarm_actions=[topic.arn],
    ok_actions=[] if changed else [topic.arn],
    tags={"a": "b"},
)
read = {"namespace": "AWS/SQS", "metric_name": "NumberOfMessagesSent", "period": 60, "stat": "Sum"}
aws.cloudwatch.MetricAlarm(
    "sum",
    name="sum-of-both",
    evaluation_periods=1,
    comparison_operator="GreaterThanThreshold",
    threshold=1,
    metric_queries=[
        {"id": "total", "expression": "SUM([m0, m1])", "return_data": True},
        {"id": "m0", "metric": {**read, "dimensions": {"QueueName": queue.name}}},
        {"id": "m1", "metric": read},
    ],
)
board = aws.cloudwatch.Dashboard(
    "board", dashboard_name="overview", dashboard_body=json.dumps({"widgets": [], "start": "-PT1H" if changed else ""})
)
aws.lambda_.Permission(
    "invoke", function=function.name, action="lambda:InvokeFunction", principal="sns.amazonaws.com",
    source_arn=topic.arn, source_account="111111111111" if changed else "000000000000",
)
aws.lambda_.FunctionRecursionConfig(
    "loop", function_name=function.name, recursive_loop="Terminate" if changed else "Allow"
)
aws.lambda_.FunctionEventInvokeConfig(
    "async", function_name=function.name, maximum_retry_attempts=1 if changed else 0,
    destination_config={"on_failure": {"destination": dead.arn}},
)
group = aws.scheduler.ScheduleGroup("group")
target = {"arn": function.arn, "role_arn": role.arn, "retry_policy": {"maximum_retry_attempts": 1 if changed else 0}}
aws.scheduler.Schedule(
    "schedule",
    group_name=group.name,
    schedule_expression="rate(2 minutes)" if changed else "rate(1 minute)",
    flexible_time_window={"mode": "OFF"},
    target=target,
)
daily = {"schedule_expression": "cron(0 12 * * ? *)", "flexible_time_window": {"mode": "OFF"}}
aws.scheduler.Schedule("daily", **daily, state="DISABLED", target={"arn": function.arn, "role_arn": role.arn})
states = {"StartAt": "S", "States": {"S": {"Type": "Succeed"}}, "Comment": str(changed)}
machine = aws.sfn.StateMachine(
    "machine",
    name="flows-abc",
    type="EXPRESS",
    role_arn=role.arn,
    definition=json.dumps(states),
    logging_configuration=None if changed else {"level": "ALL", "log_destination": logs.arn.apply("{}:*".format)},
    tracing_configuration={"enabled": not changed},
    tags={"stage": "new"} if changed else {"stage": "old", "owner": "us"},
    publish=changed,
)
for name, value in {"role": role.name, "table": table.name, "queue": queue.url, "function": function.name}.items():
    pulumi.export(name, value)
for name, value in {"topic": topic.arn, "machine": machine.arn, "repository": repository.name}.items():
    pulumi.export(name, value)
for name, value in {"group": group.name, "logs": logs.name, "alarm": alarm.name}.items():
    pulumi.export(name, value)
"""
)
DOCKERFILE = 'FROM public.ecr.aws/lambda/python:3.13\nCOPY app.py ./\nCMD ["app.handler"]\n'
# What a change of the setting updates, and what it replaces; everything else stays.
UPDATED = {
    "alarm",
    "async",
    "board",
    "from-queue",
    "from-stream",
    "function",
    "images",
    "inline",
    "logs",
    "loop",
    "machine",
    "queue",
    "schedule",
    "speak",
    "table",
    "topic",
}
REPLACED = {"invoke", "to-queue"}


def deploy(sample: Sample, *, changed: bool) -> dict[str, set[str]]:
    """Return the names of the resources by what was done to them."""
    sample.write("Pulumi.local.yaml", f"config:\n  sample:changed: '{str(changed).lower()}'\n")
    names: dict[str, set[str]] = {}
    for step in deployment.deploy(project=sample.root).steps:
        names.setdefault(step.operation.value, set()).add(step.name)
    return names


def test_every_type_is_made_left_alone_changed_and_deleted(sample: Sample) -> None:
    sample.program(EVERYTHING)
    sample.write("container/Dockerfile", DOCKERFILE)
    sample.write("container/app.py", "def handler(event, context): return event\n")

    first = deployment.deploy(project=sample.root)
    assert {step.operation.value for step in first.steps} == {"create"}
    assert {step.type for step in first.steps} == set(HANDLERS)

    assert set(deploy(sample, changed=False)) == {"same"}
    found = deployment.running(project=sample.root)
    assert found
    up = Deployed(sample, found)
    check(up, changed=False)

    done = deploy(sample, changed=True)
    assert (done["update"], done["replace"]) == (UPDATED, REPLACED)
    assert set(done) == {"same", "update", "replace"}
    check(up, changed=True)
    assert set(deploy(sample, changed=True)) == {"same"}

    sample.program("")
    assert set(deploy(sample, changed=True)) == {"delete"}
    left = [
        up.client("dynamodb").list_tables()["TableNames"],
        up.client("iam").list_roles()["Roles"],
        up.client("lambda").list_functions()["Functions"],
        up.client("lambda").list_event_source_mappings()["EventSourceMappings"],
        up.client("sqs").list_queues().get("QueueUrls", []),
        up.client("sns").list_topics()["Topics"],
        up.client("stepfunctions").list_state_machines()["stateMachines"],
        up.client("ecr").describe_repositories()["repositories"],
        up.client("cloudwatch").describe_alarms()["MetricAlarms"],
        up.client("cloudwatch").list_dashboards()["DashboardEntries"],
        up.client("scheduler").list_schedules()["Schedules"],
        [g["Name"] for g in up.client("scheduler").list_schedule_groups()["ScheduleGroups"] if g["Name"] != "default"],
    ]
    assert left == [[]] * len(left)


def check(up: Deployed, *, changed: bool) -> None:
    """Look at what AWS says about the resources, not at what we recorded."""
    outputs = up.deployment.outputs
    dynamodb, functions = up.client("dynamodb"), up.client("lambda")
    table = dynamodb.describe_table(TableName=outputs["table"])["Table"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["new" if changed else "old"]
    assert table["DeletionProtectionEnabled"] is not changed
    backups = dynamodb.describe_continuous_backups(TableName=outputs["table"])["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    assert recovery == ("DISABLED" if changed else "ENABLED")
    ttl = dynamodb.describe_time_to_live(TableName=outputs["table"])["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "expires_at")

    names = ["DelaySeconds", "RedrivePolicy", "Policy"]
    queue = up.client("sqs").get_queue_attributes(QueueUrl=outputs["queue"], AttributeNames=names)["Attributes"]
    assert queue["DelaySeconds"] == ("2" if changed else "1")
    assert f'"maxReceiveCount": {4 if changed else 5}' in queue["RedrivePolicy"]
    assert "SecureTransport" not in queue.get("Policy", "")

    function = functions.get_function_configuration(FunctionName=outputs["function"])
    assert function["Timeout"] == (6 if changed else 5)
    assert function["Environment"]["Variables"]["CHANGED"] == str(changed)
    assert up.invoke("function", {"a": 1})[0] == {"a": 1}
    mappings = functions.list_event_source_mappings(FunctionName=outputs["function"])["EventSourceMappings"]
    assert [mapping["BatchSize"] for mapping in mappings] == [5 if changed else 10] * 2
    loop = functions.get_function_recursion_config(FunctionName=outputs["function"])["RecursiveLoop"]
    assert loop == ("Terminate" if changed else "Allow")
    retries = functions.get_function_event_invoke_config(FunctionName=outputs["function"])["MaximumRetryAttempts"]
    assert retries == (1 if changed else 0)
    permission = functions.get_policy(FunctionName=outputs["function"])["Policy"]
    assert ("111111111111" in permission) is changed

    schedules = {
        (schedule["GroupName"], schedule["State"]): up.client("scheduler").get_schedule(
            Name=schedule["Name"], GroupName=schedule["GroupName"]
        )
        for schedule in up.client("scheduler").list_schedules()["Schedules"]
    }
    assert set(schedules) == {(outputs["group"], "ENABLED"), ("default", "DISABLED")}
    schedule = schedules[outputs["group"], "ENABLED"]
    assert schedule["ScheduleExpression"] == ("rate(2 minutes)" if changed else "rate(1 minute)")
    assert schedule["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 1 if changed else 0}

    topic = up.client("sns").get_topic_attributes(TopicArn=outputs["topic"])["Attributes"]
    assert topic["DisplayName"] == ("new" if changed else "old")
    assert ("sns:Subscribe" in topic["Policy"]) is changed
    check_machine(up, changed=changed)
    check_alarm(up, changed=changed)
    policies = up.client("iam").list_attached_role_policies(RoleName=outputs["role"])["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in policies] == ["AWSLambdaBasicExecutionRole"]
    assert outputs["repository"] == outputs["repository"].lower()


def check_alarm(up: Deployed, *, changed: bool) -> None:
    client, outputs = up.client("cloudwatch"), up.deployment.outputs
    alarms = {alarm["AlarmName"]: alarm for alarm in client.describe_alarms()["MetricAlarms"]}
    assert alarms.keys() == {outputs["alarm"], "sum-of-both"}
    alarm = alarms[outputs["alarm"]]
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (5 if changed else 0, "notBreaching")
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Statistic"]) == (60, 2, "Sum")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": outputs["function"]}]
    assert (alarm["AlarmActions"], alarm["OKActions"]) == ([outputs["topic"]], [] if changed else [outputs["topic"]])
    body = json.loads(client.get_dashboard(DashboardName="overview")["DashboardBody"])
    assert body == {"widgets": [], "start": "-PT1H" if changed else ""}


def check_machine(up: Deployed, *, changed: bool) -> None:
    client, outputs = up.client("stepfunctions"), up.deployment.outputs
    machine = client.describe_state_machine(stateMachineArn=outputs["machine"])
    assert f'"Comment": "{changed}"' in machine["definition"]
    assert (machine["name"], machine["type"]) == ("flows-abc", "EXPRESS")
    assert machine["tracingConfiguration"] == {"enabled": not changed}
    logging = machine["loggingConfiguration"]
    assert (logging["level"], logging["includeExecutionData"]) == ("OFF" if changed else "ALL", False)
    arns = [each["cloudWatchLogsLogGroup"]["logGroupArn"] for each in logging["destinations"]]
    assert [arn.rpartition(":log-group:")[2] for arn in arns] == ([] if changed else [f"{outputs['logs']}:*"])
    tags = client.list_tags_for_resource(resourceArn=outputs["machine"])["tags"]
    expected = {"stage": "new"} if changed else {"stage": "old", "owner": "us"}
    assert {tag["key"]: tag["value"] for tag in tags} == expected
    versions = client.list_state_machine_versions(stateMachineArn=outputs["machine"])
    assert len(versions["stateMachineVersions"]) == (1 if changed else 0)


GROWING = """
import pulumi
import pulumi_aws.dynamodb as dynamodb

index = {
    "name": "open",
    "key_schemas": [
        {"attribute_name": "open_pk", "key_type": "HASH"},
        {"attribute_name": "check_at", "key_type": "RANGE"},
    ],
    "projection_type": "KEYS_ONLY",
}
keys = [{"name": "open_pk", "type": "S"}, {"name": "check_at", "type": "N"}]
grown = pulumi.Config().get_bool("changed")
table = dynamodb.Table(
    "table",
    hash_key="pk",
    billing_mode="PAY_PER_REQUEST",
    attributes=[{"name": "pk", "type": "S"}, *(keys if grown else [])],
    global_secondary_indexes=[index] if grown else [],
    stream_enabled=True,
    stream_view_type="NEW_IMAGE",
)
pulumi.export("table", table.name)
pulumi.export("stream", table.stream_arn)
"""


def test_a_table_that_is_in_use_gets_another_index(sample: Sample) -> None:
    sample.program(GROWING)
    up = Deployed(sample, deployment.up(project=sample.root))
    dynamodb, name = up.client("dynamodb"), up.deployment.outputs["table"]

    def put(pk: str, **more: dict[str, str]) -> None:
        dynamodb.put_item(TableName=name, Item={"pk": {"S": pk}, **more})

    put("older", open_pk={"S": "0"}, check_at={"N": "9"})
    put("closed")
    assert deploy(sample, changed=True) == {"update": {"table"}}
    put("newer", open_pk={"S": "0"}, check_at={"N": "10"})
    put("later", open_pk={"S": "0"}, check_at={"N": "11"})
    answer = dynamodb.query(
        TableName=name,
        IndexName="open",
        KeyConditionExpression="open_pk = :pk AND check_at <= :now",
        ExpressionAttributeValues={":pk": {"S": "0"}, ":now": {"N": "10"}},
    )
    assert [item["pk"]["S"] for item in answer["Items"]] == ["older", "newer"]
    found = deployment.running(project=sample.root)
    assert found
    assert found.outputs == up.deployment.outputs  # the same stream
