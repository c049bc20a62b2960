from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.errors import ProgramError
from components.task_service import TaskService
from tests.components.examples import DEFAULTS, container_service, task_service
from tests.fake_aws import DIGEST
from tests.snapshot import Archived, Secret, snapshot

LOG_GROUP = "/aws/lambda/orchestra-test-task-a"
REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/task-b3-1234567"


def test_the_function() -> None:
    snap = snapshot(task_service)
    function = snap.one("aws:lambda/function:Function")
    assert function.inputs == {
        "description": "Orchestra: the task service in services/a",
        "architectures": ["arm64"],
        "packageType": "Zip",
        "code": Archived(
            files={"index.mjs": "services/a/index.mjs", "package.json": "services/a/package.json"}, texts={}
        ),
        "handler": "index.handler",
        "runtime": "nodejs24.x",
        "role": "arn:aws:iam::123456789012:role/task-a-1234567",
        "memorySize": 256,
        "timeout": 60,
        "tracingConfig": {"mode": "Active"},
        "loggingConfig": {
            "logFormat": "JSON",
            "applicationLogLevel": "INFO",
            "systemLogLevel": "INFO",
            "logGroup": LOG_GROUP,
        },
    }
    policy, group = snap.one("aws:iam/rolePolicy:RolePolicy"), snap.one("aws:cloudwatch/logGroup:LogGroup")
    assert {policy.urn, group.urn} <= function.dependencies  # both are there before its first invocation
    assert group.inputs == {"name": LOG_GROUP, "retentionInDays": 30}


def test_its_role_may_log_and_trace_and_nothing_else() -> None:
    snap = snapshot(task_service)
    role, policy = snap.one("aws:iam/role:Role"), snap.one("aws:iam/rolePolicy:RolePolicy")
    assert json.loads(role.inputs["assumeRolePolicy"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
            }
        ],
    }
    assert policy.inputs["role"] == "task-a-1234567"
    assert json.loads(policy.inputs["policy"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Log",
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": [f"arn:aws:logs:us-east-1:123456789012:log-group:{LOG_GROUP}:*"],
            },
            {
                "Sid": "Trace",
                "Effect": "Allow",
                "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                "Resource": "*",
            },
        ],
    }


def test_its_outputs() -> None:
    assert snapshot(task_service).one("orchestra:components:TaskService").outputs == {
        "function_name": "task-a-1234567",
        "function_arn": "arn:aws:lambda:us-east-1:123456789012:function:task-a-1234567",
    }


def test_a_python_service_and_its_size() -> None:
    def program() -> None:
        TaskService(
            "task-b2",
            {
                "folder": "services/b2",
                "defaults": {**DEFAULTS, "architecture": "x86_64", "log_level": "DEBUG"},
                "memory_mb": 1024,
                "timeout_s": 900,
            },
        )

    inputs = snapshot(program).one("aws:lambda/function:Function").inputs
    assert (inputs["runtime"], inputs["handler"]) == ("python3.13", "handler.handler")
    assert inputs["code"] == Archived(files={"handler.py": "services/b2/handler.py"}, texts={})
    assert (inputs["memorySize"], inputs["timeout"], inputs["architectures"]) == (1024, 900, ["x86_64"])
    assert inputs["loggingConfig"]["applicationLogLevel"] == "DEBUG"


def test_a_container_is_built_pushed_and_named_by_its_digest() -> None:
    snap = snapshot(container_service)
    repository = snap.one("aws:ecr/repository:Repository")
    image = snap.one("docker-build:index:Image")
    function = snap.one("aws:lambda/function:Function")
    assert repository.inputs == {
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "forceDelete": True,
    }
    [tag] = image.inputs["tags"]
    assert tag.startswith(f"{REPOSITORY}:arm64-")
    assert len(tag.removeprefix(f"{REPOSITORY}:arm64-")) == 16
    assert image.inputs == {
        "context": {"location": "services/b3"},
        "platforms": ["linux/arm64"],
        "push": True,
        "tags": [tag],
        "registries": Secret([{"address": REPOSITORY, "username": "AWS", "password": "a-registry-token"}]),
        "buildOnPreview": True,  # these two are the provider's own defaults
        "network": "default",
    }
    assert {k: v for k, v in function.inputs.items() if k in ("packageType", "imageUri")} == {
        "packageType": "Image",
        "imageUri": f"{REPOSITORY}@{DIGEST}",
    }
    assert not {"code", "handler", "runtime"} & set(function.inputs)


def test_a_registry_keeps_what_one_can_roll_back_to() -> None:
    policy = snapshot(container_service).one("aws:ecr/lifecyclePolicy:LifecyclePolicy").inputs
    assert policy["repository"] == "task-b3-1234567"
    assert json.loads(policy["policy"]) == {
        "rules": [
            {
                "rulePriority": 1,
                "description": "keep the newest 10 images",
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10},
                "action": {"type": "expire"},
            }
        ]
    }


@pytest.mark.parametrize(("architecture", "platform"), [("arm64", "linux/arm64"), ("x86_64", "linux/amd64")])
def test_an_image_is_for_the_architecture_of_its_function(architecture: str, platform: str) -> None:
    def program() -> None:
        TaskService("task-b3", {"folder": "services/b3", "defaults": {**DEFAULTS, "architecture": architecture}})

    snap = snapshot(program)
    image = snap.one("docker-build:index:Image").inputs
    assert image["platforms"] == [platform]
    assert f":{architecture}-" in image["tags"][0]
    assert snap.one("aws:lambda/function:Function").inputs["architectures"] == [architecture]


def test_a_given_image_needs_no_registry_and_no_build() -> None:
    def program() -> None:
        TaskService("task-b3", {"folder": "services/b3", "defaults": DEFAULTS, "image_uri": "mine/b3@sha256:0"})

    snap = snapshot(program)
    assert snap.one("aws:lambda/function:Function").inputs["imageUri"] == "mine/b3@sha256:0"
    assert [r.typ for r in snap.resources] == [
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:iam/role:Role",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:lambda/function:Function",
        "orchestra:components:TaskService",
    ]


def test_a_registry_allows_no_capitals(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").touch()
    snap = snapshot(lambda: TaskService("task-Big", {"folder": str(tmp_path), "defaults": DEFAULTS}))
    assert snap.one("aws:ecr/repository:Repository").name == "task-big"
    assert snap.one("aws:lambda/function:Function").name == "task-Big"


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        (
            "task-a",
            {"folder": "services/a", "image_uri": "mine/a"},
            "services/a: has no Dockerfile, and only a container service takes an image",
        ),
        (
            "task-a",
            {"folder": "services/a", "memory_mb": 127},
            "task-a: memory_mb is 127, and must be from 128 to 10240",
        ),
        (
            "task-a",
            {"folder": "services/a", "timeout_s": 901},
            "task-a: timeout_s is 901, and must be from 1 to 900",
        ),
        (
            "task-" + "x" * 52,
            {"folder": "services/a"},
            f"task-{'x' * 52}: is 57 characters, and a function's name has at most 56",
        ),
    ],
)
def test_what_lambda_would_refuse_is_refused_before(name: str, args: dict[str, object], message: str) -> None:
    with pytest.raises(ProgramError) as refused:
        snapshot(lambda: TaskService(name, {**args, "defaults": DEFAULTS}))  # type: ignore[typeddict-item]
    assert str(refused.value) == message


def test_the_longest_name_is_allowed() -> None:
    name = "task-" + "x" * 51
    snap = snapshot(lambda: TaskService(name, {"folder": "services/a", "defaults": DEFAULTS}))
    assert snap.one("aws:lambda/function:Function").name == name
