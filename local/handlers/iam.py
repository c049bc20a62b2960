"""Roles and their policies."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from local.handlers.base import Handler, Inputs, Outputs, Scope, pick, tag_list
from local.policies import with_batch_actions
from local.pulumi_runtime import Registered

_ROLE = {
    "path": "Path",
    "description": "Description",
    "maxSessionDuration": "MaxSessionDuration",
    "permissionsBoundary": "PermissionsBoundary",
}


class Role(Handler):
    type = "aws:iam/role:Role"
    replacing = ("name", "path", "permissionsBoundary")

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        role = scope.aws.client("iam").create_role(
            RoleName=inputs["name"],
            AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
            **pick(inputs, _ROLE),
            **tag_list(inputs),
        )["Role"]
        self._set_policies(scope.aws.client("iam"), inputs)
        outputs = {"arn": role["Arn"], "name": role["RoleName"], "uniqueId": role["RoleId"]}
        return Registered(role["RoleName"], outputs)

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:
        iam = scope.aws.client("iam")
        if "assumeRolePolicy" in changed:
            iam.update_assume_role_policy(RoleName=current.id, PolicyDocument=inputs["assumeRolePolicy"])
        if {"description", "maxSessionDuration"} & set(changed):
            settings = pick(inputs, {name: _ROLE[name] for name in ("description", "maxSessionDuration")})
            iam.update_role(RoleName=current.id, **settings)
        if {"inlinePolicies", "managedPolicyArns"} & set(changed):
            _remove_policies(iam, current.id)
            self._set_policies(iam, inputs)
        return dict(current.outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        iam = scope.aws.client("iam")
        _remove_policies(iam, current.id)
        iam.delete_role(RoleName=current.id)

    @staticmethod
    def _set_policies(iam: Any, inputs: Inputs) -> None:
        for policy in inputs.get("inlinePolicies") or []:
            iam.put_role_policy(
                RoleName=inputs["name"], PolicyName=policy["name"], PolicyDocument=with_batch_actions(policy["policy"])
            )
        for arn in inputs.get("managedPolicyArns") or []:
            iam.attach_role_policy(RoleName=inputs["name"], PolicyArn=arn)


def _remove_policies(iam: Any, role: str) -> None:
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])


class RolePolicy(Handler):
    type = "aws:iam/rolePolicy:RolePolicy"
    name_limit = 128
    replacing = ("name", "role")

    def unrecorded(self, scope: Scope, inputs: Inputs) -> Iterable[Registered]:  # noqa: ARG002
        return []  # to put a policy is to replace it

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        scope.aws.client("iam").put_role_policy(
            RoleName=inputs["role"], PolicyName=inputs["name"], PolicyDocument=with_batch_actions(inputs["policy"])
        )
        return Registered(f"{inputs['role']}:{inputs['name']}", {"name": inputs["name"]})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        return dict(self.create(scope, inputs).outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        role, name = current.id.split(":", 1)
        scope.aws.client("iam").delete_role_policy(RoleName=role, PolicyName=name)


class RolePolicyAttachment(Handler):
    type = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    name_property = None
    replacing = ("role", "policyArn")

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        scope.aws.client("iam").attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
        return Registered(f"{inputs['role']}|{inputs['policyArn']}", {})

    def delete(self, scope: Scope, current: Registered) -> None:
        role, arn = current.id.split("|", 1)
        scope.aws.client("iam").detach_role_policy(RoleName=role, PolicyArn=arn)
