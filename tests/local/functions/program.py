# mypy: ignore-errors
# ruff: noqa: ANN001, ANN003, ANN201 - deployed as it is, not part of the suite
"""A program with a function for each runtime, a stream and a queue."""

import json

import pulumi
import pulumi_aws.dynamodb as dynamodb
import pulumi_aws.ecr as ecr
import pulumi_aws.iam as iam
import pulumi_aws.lambda_ as lambda_
import pulumi_aws.sqs as sqs
from pulumi_docker_build import Image


def policy(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


role = iam.Role(
    "role", assume_role_policy=policy(Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole")
)
counts, source = (
    dynamodb.Table(
        name,
        billing_mode="PAY_PER_REQUEST",
        hash_key="pk",
        attributes=[{"name": "pk", "type": "S"}],
        stream_enabled=name == "source",
        stream_view_type="NEW_IMAGE" if name == "source" else None,
    )
    for name in ("counts", "source")
)
grant = iam.RolePolicy(
    "counts", role=role.id, policy=counts.arn.apply(lambda arn: policy(Action="dynamodb:UpdateItem", Resource=arn))
)


def function(name, runtime, handler, folder, **variables):
    made = lambda_.Function(
        name,
        role=role.arn,
        runtime=runtime,
        handler=handler,
        code=pulumi.FileArchive(folder),
        timeout=2,
        memory_size=256,
        logging_config={"log_format": "JSON", "log_group": f"/aws/lambda/{name}", "application_log_level": "INFO"},
        environment={"variables": variables} if variables else None,
        opts=pulumi.ResourceOptions(depends_on=[grant]),
    )
    pulumi.export(name, made.name)
    return made


function("python", "python3.13", "handler.handler", "python", AUTH="mine", COLOUR="blue")
function("broken", "python3.13", "broken.handler", "python")
function("nameless", "python3.13", "handler.nothing", "python")
function("node", "nodejs24.x", "index.handler", "node", AUTH="mine", COLOUR="blue")
function("node-twice", "nodejs24.x", "index.handler", "node", ORCHESTRA_LOCAL_DELIVER_TWICE="1")
function("callback", "nodejs24.x", "index.callback", "node")
records = function("records", "python3.13", "records.handler", "python", COUNTS=counts.name)
twice = function(
    "twice", "python3.13", "records.handler", "python", COUNTS=counts.name, ORCHESTRA_LOCAL_DELIVER_TWICE="1"
)

repository = ecr.Repository("images")
image = Image("image", context={"location": "container"}, tags=[repository.repository_url], push=True)
container = lambda_.Function("container", role=role.arn, package_type="Image", image_uri=image.ref, timeout=2)
pulumi.export("container", container.name)

queue = sqs.Queue("queue", visibility_timeout_seconds=2)
lambda_.EventSourceMapping(
    "from-queue",
    event_source_arn=queue.arn,
    function_name=twice.name,
    function_response_types=["ReportBatchItemFailures"],
)
lambda_.EventSourceMapping(
    "from-stream",
    event_source_arn=source.stream_arn,
    function_name=records.name,
    starting_position="TRIM_HORIZON",
    function_response_types=["ReportBatchItemFailures"],
    filter_criteria={"filters": [{"pattern": '{"dynamodb":{"NewImage":{"handoff":{"S":["stream"]}}}}'}]},
)
pulumi.export("counts", counts.name)
pulumi.export("source", source.name)
pulumi.export("queue", queue.url)
