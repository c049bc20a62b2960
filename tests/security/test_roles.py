"""What each role may do is what was reviewed, all of it is needed, and whatever is missing is noticed."""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import botocore.session
import pytest

from orchestration.store import Change, Outcome
from tests.security.grants import roles
from tests.security.rules import ROLE_POLICY
from tests.security.test_rules import STACKS
from tests.simulation.simulation import play_seed
from tests.simulation.table import SimStore
from tests.simulation.world import Coverage
from tests.snapshot import Registered
from tests.test_main import ROOT, run

REVIEWED = ROOT / "tests" / "security" / "roles.json"


@cache
def everything() -> tuple[Registered, ...]:
    """Return the program with all that there can be in it."""
    return run(probeService="true", registerFlows="true").resources


def reviewed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(REVIEWED.read_text("utf-8"))
    return found


def test_the_roles_are_those_that_were_reviewed() -> None:
    """When a change is meant, write the new text into tests/security/roles.json, and say in the commit why."""
    assert json.dumps(roles(everything()), indent=2) + "\n" == REVIEWED.read_text("utf-8")


@pytest.mark.parametrize("settings", STACKS.values(), ids=STACKS)
def test_no_stack_grants_more_than_was_reviewed(settings: dict[str, str]) -> None:
    """A stack without registered flows names its state machines, instead of a pattern for all of them."""
    whole = reviewed()
    pattern = {"stateMachine:orchestra-test-abc": "stateMachine:orchestra-test-*"}
    pattern |= {"execution:orchestra-test-abc:*": "execution:orchestra-test-*:*"}
    for name, role in roles(run(**settings).resources).items():
        assert role["trusts"] == whole[name]["trusts"]
        for action, resources in role["allow"].items():
            wider = {f"states:{pattern.get(arn.removeprefix('states:'), '')}" for arn in resources}
            assert set(resources) <= {*whole[name]["allow"][action]} or wider <= {*whole[name]["allow"][action]}


def removals() -> Iterator[tuple[str, Registered]]:
    """Yield each policy of the program less one action, and less one resource, of one statement."""
    for policy in (r for r in everything() if r.typ == ROLE_POLICY):
        document = json.loads(policy.inputs["policy"])
        for at, statement in enumerate(document["Statement"]):
            for key in ("Action", "Resource", "Condition"):
                for left_out in statement.get(key, []):
                    less = copy.deepcopy(document)
                    of = less["Statement"][at]
                    if isinstance(of[key], list):
                        of[key].remove(left_out)
                    else:
                        del of[key]
                    inputs = {**policy.inputs, "policy": json.dumps(less)}
                    yield f"{policy.name}: {statement['Sid']} {left_out}", replace(policy, inputs=inputs)


def test_removing_any_one_action_resource_or_condition_is_noticed() -> None:
    found, seen = [], 0
    for what, less in removals():
        seen += 1
        if roles([less if r.urn == less.urn else r for r in everything()]) == reviewed():
            found.append(what)
    assert found == []
    actions = [a for role in reviewed().values() for part in ("allow", "deny") for a in role.get(part, {})]
    assert seen > len(actions) > 100


BY_AWS = {
    # A statement of the Worker's lets Lambda read its queue, and of the Orchestrator's its stream, as the function.
    # Source: docs.aws.amazon.com/lambda/latest/dg/services-ddb-eventsourcemapping.html (2026).
    "dynamodb:DescribeStream": "Lambda reads the stream",
    "dynamodb:GetRecords": "Lambda reads the stream",
    "dynamodb:GetShardIterator": "Lambda reads the stream",
    "dynamodb:ListStreams": "Lambda reads the stream",
    # CreateStateMachine asks for these in the name of its caller.
    "iam:PassRole": "the role of a machine that is registered",
    "states:TagResource": "the tags of a machine that is registered",
    # The logs and the traces of functions and of state machines. Sources: components/policies.py.
    "logs:CreateLogDelivery": "Step Functions sets up the machine's log",
    "logs:CreateLogStream": "Lambda writes the function's log",
    "logs:DeleteLogDelivery": "Step Functions sets up the machine's log",
    "logs:DescribeLogGroups": "Step Functions sets up the machine's log",
    "logs:DescribeResourcePolicies": "Step Functions sets up the machine's log",
    "logs:GetLogDelivery": "Step Functions sets up the machine's log",
    "logs:ListLogDeliveries": "Step Functions sets up the machine's log",
    "logs:PutLogEvents": "Lambda writes the function's log",
    "logs:PutResourcePolicy": "Step Functions sets up the machine's log",
    "logs:UpdateLogDelivery": "Step Functions sets up the machine's log",
    "xray:GetSamplingRules": "Step Functions sends traces",
    "xray:GetSamplingTargets": "Step Functions sends traces",
    "xray:PutTelemetryRecords": "Lambda and Step Functions send traces",
    "xray:PutTraceSegments": "Lambda and Step Functions send traces",
}
"""The actions that no line of orchestration/ asks for, and who does."""

INVOKE = {"lambda:Invoke": "lambda:InvokeFunction"}  # the one operation whose action has another name
SERVICES = {"dynamodb": "dynamodb", "lambda": "lambda", "sqs": "sqs", "stepfunctions": "states"}


def action_of() -> dict[str, str]:
    """Return which action each call of a client asks for."""
    found: dict[str, str] = {}
    for service, prefix in SERVICES.items():
        model = botocore.session.get_session().get_service_model(service)
        for name in model.operation_names:
            action = f"{prefix}:{name.removesuffix('Batch')}"
            found[botocore.xform_name(name)] = INVOKE.get(action, action)
    return found


ACTION_OF = action_of()


def calls_in(node: ast.AST) -> set[str]:
    """Return the actions that a piece of source asks for."""
    names = set()
    for each in ast.walk(node):
        match each:
            case ast.Call(func=ast.Attribute(attr="get_paginator"), args=[ast.Constant(value=str(name))]):
                names.add(name)
            case ast.Call(func=ast.Attribute(value=on, attr=name)) if ast.unparse(on).endswith("client"):
                names.add(name)
    return {ACTION_OF[name] for name in names if name in ACTION_OF}


def source(name: str) -> ast.Module:
    return ast.parse((ROOT / "orchestration" / name).read_text("utf-8"))


def called() -> set[str]:
    """Return the actions that orchestration/ asks for."""
    return {action for file in (ROOT / "orchestration").glob("*.py") for action in calls_in(source(file.name))}


def test_every_action_is_asked_for_and_what_is_asked_for_is_granted() -> None:
    """An action that neither the program nor AWS in its name asks for any more would otherwise stay for ever."""
    granted = {action for role in reviewed().values() for action in role["allow"]}
    assert granted - BY_AWS.keys() == called()
    assert granted >= BY_AWS.keys()
    assert called().isdisjoint(BY_AWS)


PORTS = {"store.py": "DynamoStore", "catalog.py": "DynamoDefinitions", "queue.py": "SqsQueue"}
ROLE_OF = {"request": "orchestrator", "stream": "orchestrator", "sweeper": "sweeper", "worker": "worker"}
SEEDS = 1_000


def actions_by_method() -> dict[str, set[str]]:
    """Return what each method of the ports to AWS asks for, by itself and by way of others of its class."""
    found: dict[str, set[str]] = {}
    for file, name in PORTS.items():
        [port] = [n for n in source(file).body if isinstance(n, ast.ClassDef) and n.name == name]
        methods = {method.name: method for method in port.body if isinstance(method, ast.FunctionDef)}
        asks = {method: calls_in(node) for method, node in methods.items()}
        for _ in methods:  # as deep as it may go
            for method, node in methods.items():
                uses = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute) and n.attr in methods}
                asks[method] = asks[method].union(*(asks[used] for used in uses))
        found |= {method: actions for method, actions in asks.items() if method not in found}
    return found


def test_each_role_does_in_runs_where_everything_goes_wrong_just_what_it_is_granted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The engine as it is, in simulated worlds (tests/simulation): what each function asks of the table and the queue.

    So an action less is one that runs need, and none is granted for nothing.
    """
    asks, coverage, done = actions_by_method(), Coverage(), set()
    save = SimStore._save

    def saved(store: SimStore, change: Change[Any]) -> Outcome[Any]:
        method = "_put" if change.old.version == 0 else "_update"  # as DynamoStore._save chooses
        done.add((ROLE_OF[store._process.kind], method))
        return save(store, change)

    monkeypatch.setattr(SimStore, "_save", saved)
    for seed in range(SEEDS):
        play_seed(seed, coverage=coverage)
    ports = {name for name in asks if not name.startswith("_")} - {"save"}
    done |= {(ROLE_OF[kind[0]], kind[1]) for kind in coverage if kind[0] in ROLE_OF and kind[1] in ports}
    found = {role: {a for of, name in done if of == role for a in asks[name]} for role in set(ROLE_OF.values())}
    whole = reviewed()
    table_and_work = {
        role: {
            action
            for action, resources in whole[role]["allow"].items()
            if action not in BY_AWS and {"dynamodb:table/table", "sqs:worker"} & set(resources)
        }
        - ({"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"} if role == "worker" else set())
        for role in found
    }  # Lambda takes the messages of the worker's queue, as the worker
    assert found == table_and_work
