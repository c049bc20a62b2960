"""What a program grants, read out of its IAM documents. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.fake_aws import ACCOUNT, REGION, SUFFIX
from tests.snapshot import Registered

Statement = Mapping[str, Any]
Document = Mapping[str, Any]

DOCUMENT_INPUTS = ("policy", "assumeRolePolicy")


@dataclass(frozen=True)
class Grant:
    """One statement of a document, and the resource that brings it."""

    resource: Registered
    key: str  # of the resource's inputs
    statement: Statement

    @property
    def actions(self) -> list[str]:
        return as_list(self.statement.get("Action", []))

    @property
    def resources(self) -> list[str]:
        return as_list(self.statement.get("Resource", []))

    @property
    def allows(self) -> bool:
        return self.statement.get("Effect") != "Deny"

    @property
    def services(self) -> list[str]:
        """The AWS services that it is for."""
        principal = self.statement.get("Principal", {})
        return as_list(principal.get("Service", [])) if isinstance(principal, Mapping) else []

    @property
    def where(self) -> str:
        return (
            f"{self.resource.typ} {self.resource.name}, statement {self.statement.get('Sid', '')!r} of its {self.key}"
        )


def as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def grants(resources: Iterable[Registered]) -> Iterator[Grant]:
    """Yield each statement of each document: policies and trusts. What has no statements (ECR's rules) has none."""
    for resource in resources:
        for key in DOCUMENT_INPUTS:
            text = resource.inputs.get(key)
            if not isinstance(text, str):
                continue
            statements = json.loads(text).get("Statement", [])
            for statement in [statements] if isinstance(statements, Mapping) else statements:
                yield Grant(resource, key, statement)


def condition_values(statement: Statement, key: str) -> list[str]:
    """Return what a condition's key must be, whichever operator says it; the names of keys have no case."""
    operators = statement.get("Condition", {})
    return [
        value
        for operator, tests in operators.items()
        if operator in {"StringEquals", "StringLike", "ArnEquals", "ArnLike", "Bool"}
        for name, values in tests.items()
        if name.lower() == key.lower()
        for value in as_list(values)
    ]


def physical_name(resource: Registered) -> str:
    """Return the name that the resource has in AWS; see tests/fake_aws.py."""
    return str(resource.inputs.get("name") or resource.name + SUFFIX)


def kind(arn: str) -> str:
    """Return an ARN without what differs from deploy to deploy: `service:resource`, by the program's own names."""
    if arn == "*":
        return arn
    _, _, service, region, account, resource = arn.split(":", 5)
    assert region in {REGION, ""}, arn
    assert account == ACCOUNT, arn
    return f"{service}:{resource.replace(SUFFIX, '').replace('/2026-01-01T00:00:00.000', '')}"


def roles(resources: Iterable[Registered]) -> dict[str, dict[str, Any]]:
    """Return what each role may do, and who may assume it, as tests/security/roles.json has it.

    {role: {"trusts": {service: {condition: value}}, "allow": {action: [resource]}, "deny": {action: [resource]}}},
    everything in order; a grant with a condition ends in " if <key> is <value>".
    """
    known = list(resources)
    names = {physical_name(r): r.name for r in known if r.typ == "aws:iam/role:Role"}
    found: dict[str, dict[str, Any]] = {name: {"trusts": {}, "allow": {}} for name in sorted(names.values())}
    for grant in grants(known):
        if grant.resource.typ == "aws:iam/role:Role":
            tests = grant.statement.get("Condition", {}).values()
            source = {key: kind(v) if v.startswith("arn:") else "this account" for t in tests for key, v in t.items()}
            found[grant.resource.name]["trusts"] |= dict.fromkeys(grant.services, source)
        elif grant.resource.typ == "aws:iam/rolePolicy:RolePolicy":
            role = found[names[grant.resource.inputs["role"]]]
            effect = role.setdefault("allow" if grant.allows else "deny", {})
            for action in grant.actions:
                named = {kind(arn) + _conditions(grant.statement) for arn in grant.resources}
                effect[action] = sorted({*effect.get(action, []), *named})
    return {name: _in_order(role) for name, role in found.items()}


def _conditions(statement: Statement) -> str:
    tests = [test for tests in statement.get("Condition", {}).values() for test in tests.items()]
    return "".join(f" if {key} is {value}" for key, value in sorted(tests))


def _in_order(role: dict[str, Any]) -> dict[str, Any]:
    return {
        part: dict(sorted(of.items())) for part, of in ((p, role.get(p)) for p in ("trusts", "allow", "deny")) if of
    }
