"""Deploying again: what is the same is left alone, what has changed is all that changes, and IAM is in force."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local import deployment
from local.plan import Operation
from tests.e2e.conftest import ROOT, System

pytestmark = pytest.mark.e2e


@pytest.fixture
def own_services(system: System) -> Iterator[Path]:
    """The project with its own copy of the services, until the test is over."""
    services = system.project / "services"
    services.unlink()
    shutil.copytree(ROOT / "services", services)
    yield services
    shutil.rmtree(services)
    services.symlink_to(ROOT / "services")
    deployment.up(project=system.project)


def test_a_second_up_changes_nothing(system: System) -> None:
    result = deployment.deploy(project=system.project)

    assert {step.operation for step in result.steps} == {Operation.SAME}
    assert result.outputs == system.deployment.outputs


def test_changed_code_updates_that_one_function(system: System, own_services: Path) -> None:
    source = own_services / "b2" / "handler.py"
    source.write_text(source.read_text("utf-8") + "\n# changed\n", "utf-8")
    (own_services / "a" / "README.md").write_text("what is not packaged changes nothing")

    result = deployment.deploy(project=system.project)

    changed = [(step.operation, step.type, step.name) for step in result.steps if step.operation is not Operation.SAME]
    assert changed == [(Operation.UPDATE, "aws:lambda/function:Function", "task-b2")]


def test_a_role_may_do_what_it_needs_and_no_more(system: System) -> None:
    """The Worker may read a run and not the whole table; a task's function may not read it at all."""
    read = {"TableName": system.deployment.outputs["table_name"], "Key": {"pk": {"S": "RUN#x"}, "sk": {"S": "RUN"}}}
    worker, task = allowed_as(system, "worker"), allowed_as(system, "task-probe")

    assert "Item" not in worker.client("dynamodb").get_item(**read)
    with pytest.raises(ClientError, match="AccessDenied"):
        worker.client("dynamodb").scan(TableName=read["TableName"])
    with pytest.raises(ClientError, match="AccessDenied"):
        task.client("dynamodb").get_item(**read)


def allowed_as(system: System, role_name: str) -> System:
    """Return the system as a new user sees it who may do what a role may.

    The role itself can be assumed by Lambda only.
    """
    iam = system.client("iam")
    (role,) = (r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].rsplit("-", 1)[0] == role_name)
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    iam.create_user(UserName=f"as-{role}")
    iam.put_user_policy(UserName=f"as-{role}", PolicyName=policy, PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=f"as-{role}")["AccessKey"]
    access = replace(system.deployment, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    return replace(system, deployment=access)
