"""What the reference pages say is so: settings, roles, the layout, the local target, and commands of others' tools."""

from __future__ import annotations

import json
import re
import runpy
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import xform_name

from components import task_service
from local import server
from local.handlers import HANDLERS, invocation
from orchestration import codec
from tests.fake_aws import ACCOUNT, REGION
from tests.snapshot import Snapshot
from tests.test_main import SERVICES, run

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]

Row = tuple[str, ...]


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def rows(text: str, *head: str) -> list[Row]:
    """Return the cells of the one table with this head."""
    (table,) = re.findall(rf"^{re.escape(line(head))}\n\| ---[^\n]*\n((?:\|[^\n]*\n)+)", text, re.MULTILINE)
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in table.splitlines()]


def line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


# Settings.


def test_the_settings_are_those_of_the_schema() -> None:
    """If not: `python docs/settings_reference.py` writes the page."""
    written = runpy.run_path(str(DOCS / "settings_reference.py"))["written"]

    assert written(page("settings.md")) == page("settings.md")


def test_every_setting_has_a_row_with_its_type_its_default_and_what_it_does() -> None:
    schema = yaml.safe_load((ROOT / "Pulumi.yaml").read_text("utf-8"))["config"]
    found = rows(page("settings.md"), "setting", "type", "default", "what it sets")

    assert [(key.strip("`"), kind) for key, kind, _, _ in found] == [(key, s["type"]) for key, s in schema.items()]
    assert [text for *_, text in found if not text] == []


def test_what_is_no_setting_has_the_values_of_the_code() -> None:
    assert f"{task_service.MEMORY_MB} MB and {task_service.TIMEOUT_S} seconds" in " ".join(page("settings.md").split())


def test_a_setting_that_a_page_sets_is_one() -> None:
    schema = yaml.safe_load((ROOT / "Pulumi.yaml").read_text("utf-8"))["config"]
    named = {
        key for each in PAGES for key in re.findall(r"pulumi config set (?:--path )?'?(\w+)", each.read_text("utf-8"))
    }

    assert named
    assert named - set(schema) == set()


# Security.


@pytest.fixture(name="snap", scope="module")
def _snap() -> Snapshot:
    return run()


@pytest.fixture(name="registering", scope="module")
def _registering() -> Snapshot:
    return run(registerFlows="true")


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


TABLE = _arn("dynamodb", "table/table-1234567")
WORDS: Mapping[str, str] = {
    "*": "everything",
    ACCOUNT: "this account",
    TABLE: "the table",
    f"{TABLE}/index/open_runs": "the index `open_runs`",
    f"{TABLE}/index/runs": "the index `runs`",
    f"{TABLE}/stream/2026-01-01T00:00:00.000": "the stream",
    _arn("sqs", "worker-1234567"): "the worker queue",
    _arn("sqs", "worker-dead-letters-1234567"): "the dead letters",
    _arn("sqs", "orchestrator-failed-records-1234567"): "the failed records",
    _arn("lambda", "function:sweeper-1234567"): "the Sweeper",
    _arn("states", "stateMachine:orchestra-test-abc"): "the declared state machines",
    _arn("states", "execution:orchestra-test-abc:*"): "executions of the declared state machines",
    _arn("states", "stateMachine:orchestra-test-*"): "state machines named `PROJECT-STACK-*`",
    _arn("states", "execution:orchestra-test-*:*"): "executions of state machines named `PROJECT-STACK-*`",
    _arn("scheduler", "schedule-group/sweeper-1234567"): "its group of schedules",
    f"arn:aws:iam::{ACCOUNT}:role/registered-flows-1234567": "the role `registered-flows`",
}
"""What the page calls the resources of the snapshot. One that has no word here fails the test, as it should."""


def statements(snap: Snapshot) -> set[Row]:
    """Return what every role may do as rows of the page: role, statement, actions, resources."""
    found: dict[str, list[Row]] = {}
    for policy in snap.all("aws:iam/rolePolicy:RolePolicy"):
        assert policy.inputs["role"] == f"{policy.name}-1234567", "each role has its own policy"
        document = json.loads(policy.inputs["policy"])
        found[policy.name] = [_statement(policy.name, statement) for statement in document["Statement"]]
    functions = {r.name for r in snap.all("aws:lambda/function:Function")}
    common = [row[1:] for row in found["worker"][:2]]
    for name in functions:  # of which each begins with the same two, and those of services have no more
        assert [row[1:] for row in found[name][:2]] == common
        found[name] = found[name][2:]
        assert name in {"orchestrator", "worker", "sweeper"} or not found[name]
    return {("every function's", *row) for row in common} | {row for listed in found.values() for row in listed}


def _statement(role: str, statement: dict[str, Any]) -> Row:
    actions = ", ".join(f"`{action}`" for action in statement["Action"])
    if statement["Effect"] == "Deny":
        actions = f"not: {actions}"
    match statement.get("Condition"):
        case None:
            pass
        case {"StringEquals": {"iam:PassedToService": service}}:
            actions = f"{actions}, to `{service}`"
        case other:
            raise AssertionError(f"no word for {other}")
    resources = statement["Resource"]
    listed = [resources] if isinstance(resources, str) else resources
    shown = "flow-WORKFLOW" if role.startswith("flow-") else role
    return f"`{shown}`", f"`{statement['Sid']}`", actions, _resources(role, listed)


def _resources(role: str, listed: list[str]) -> str:
    if listed == sorted(_arn("lambda", f"function:task-{name}-1234567") for name in SERVICES):
        return "the task functions of its workflow" if role.startswith("flow-") else "the task functions"
    if listed == [_arn("logs", f"log-group:/aws/lambda/orchestra-test-{role}:*")]:
        return "its own log group"
    return ", ".join(WORDS[resource] for resource in listed)


def test_what_each_role_may_do_is_in_the_page(snap: Snapshot) -> None:
    chapter, _ = page("security.md").split("## What registerFlows grants")

    assert set(rows(chapter, "role", "statement", "may", "on")) == statements(snap)


def test_what_register_flows_grants_is_in_the_page(snap: Snapshot, registering: Snapshot) -> None:
    _, chapter = page("security.md").split("## What registerFlows grants")
    more = statements(registering) - statements(snap)

    assert set(rows(chapter, "role", "statement", "may", "on")) == more
    gone = {row[1] for row in statements(snap) - statements(registering)}
    assert gone == {"`Flows`", "`Executions`"}  # which are there with a pattern instead


def test_who_may_assume_each_role_is_in_the_page(registering: Snapshot) -> None:
    functions = {r.name for r in registering.all("aws:lambda/function:Function")}
    found = set()
    for role in registering.all("aws:iam/role:Role"):
        (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
        conditions = [
            f"`{key}`: {'its own state machine' if role.name.startswith('flow-') and 'Arn' in key else WORDS[value]}"
            for compared in statement["Condition"].values()
            for key, value in compared.items()
        ]
        name = f"`{'flow-WORKFLOW' if role.name.startswith('flow-') else role.name}`"
        service = f"`{statement['Principal']['Service']}`"
        found.add(("every function's" if role.name in functions else name, service, ", ".join(conditions)))
    said = rows(page("security.md"), "role", "service", "on condition")

    assert set(said) == found
    assert len(said) == len(found)


def test_no_role_has_a_policy_of_another_kind_and_nobody_else_may_invoke(registering: Snapshot) -> None:
    kinds = {r.typ for r in registering.resources}

    assert {kind for kind in kinds if ":iam/" in kind} == {"aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"}
    assert not any("managedPolicyArns" in r.inputs for r in registering.all("aws:iam/role:Role"))
    assert "aws:lambda/permission:Permission" not in kinds
    assert "aws:lambda/functionUrl:FunctionUrl" not in kinds


def test_policies_of_queues_only_deny_what_does_not_use_tls(registering: Snapshot) -> None:
    queues = {r.name for r in registering.all("aws:sqs/queue:Queue")}
    policies = {r.name: json.loads(r.inputs["policy"]) for r in registering.all("aws:sqs/queuePolicy:QueuePolicy")}

    assert len(queues) == 3
    assert set(policies) == queues
    for policy in policies.values():
        ((effect, condition),) = ((s["Effect"], s["Condition"]) for s in policy["Statement"])
        assert (effect, condition) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_encryption_is_what_the_page_says(registering: Snapshot) -> None:
    assert all(r.inputs["sqsManagedSseEnabled"] is True for r in registering.all("aws:sqs/queue:Queue"))
    names = {name.lower() for r in registering.resources for name in _names(r.inputs)}

    assert [n for n in names if "kms" in n or "encrypt" in n or "vpc" in n or "signing" in n or "reserved" in n] == []
    assert "permissionsboundary" not in names


def _names(value: object) -> Iterator[str]:
    """Return the names of all properties within, and of all that these hold."""
    if isinstance(value, Mapping):
        yield from map(str, value)
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _names(each)


# Architecture.


def test_every_file_of_the_engine_is_in_the_page_once() -> None:
    said = [name for files, _ in rows(page("architecture.md"), "file", "what it does") for name in files.split(", ")]

    assert sorted(name.strip("`") for name in said) == sorted(
        file.name for file in (ROOT / "orchestration").glob("*.py") if file.name != "__init__.py"
    )


def test_every_component_is_in_the_page(registering: Snapshot) -> None:
    said = rows(page("architecture.md"), "component", "what it makes", "file")
    found = {r.typ.rpartition(":")[2] for r in registering.resources if r.typ.startswith("orchestra:components:")}

    assert {name.strip("`") for name, _, _ in said} == found
    for name, _, link in said:
        (file,) = re.findall(r"\(\.\./(components/\w+\.py)\)", link)
        assert re.search(rf"^class {name.strip('`')}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def test_every_decision_is_in_the_page() -> None:
    linked = set(re.findall(r"\]\((adr/[^)]+)\)", page("architecture.md").partition("## Decisions")[2]))

    assert linked == {f"adr/{file.name}" for file in (DOCS / "adr").glob("*.md")}


def test_the_keys_of_the_table_are_those_of_the_codec() -> None:
    keys = (
        codec.definition_key("<name>", "<hash>"),
        codec.registration_key("<name>"),
        codec.run_key("<run id>"),
        codec.input_key("<run id>", "<sha256>"),
        codec.task_key("<run id>", "<task id>"),
    )
    said = rows(page("architecture.md"), "item", "`pk`", "`sk`")

    assert [(pk, sk) for _, pk, sk in said] == [(f"`{key['pk']['S']}`", f"`{key['sk']['S']}`") for key in keys]


# The local target.


def test_the_numbers_of_the_local_target_are_those_of_the_code() -> None:
    text = page("local-and-aws.md")
    (version,) = re.findall(r"^ministack==(\S+)", (ROOT / "local" / "emulator.txt").read_text("utf-8"), re.MULTILINE)

    assert f"ministack {version}," in text
    assert f"a handler for each of {len(HANDLERS)} types" in text
    assert f"up to {server.MAXIMUM_CONCURRENCY} functions" in text
    assert f"| {invocation._QUEUE_CONCURRENCY}, unless `workerMaximumConcurrency` says otherwise |" in text
    assert f"| account | `{server.ACCOUNT}` |" in text


def test_what_the_local_target_does_with_a_stream_and_a_function_is_what_the_program_asks_of_aws(
    snap: Snapshot,
) -> None:
    stream = snap.one("aws:lambda/eventSourceMapping:EventSourceMapping", "orchestrator").inputs
    runtimes = {r.inputs.get("runtime") for r in snap.all("aws:lambda/function:Function")} - {None}
    text = page("local-and-aws.md")

    assert (stream["parallelizationFactor"], stream["maximumRetryAttempts"]) == (10, 10)
    assert stream["maximumRecordAgeInSeconds"] == 3600
    assert "ten batches at once for each |" in text
    assert "| 10, split in halves, for at most an hour |" in text
    assert all(f"`{runtime}`" in text for runtime in runtimes)


# Commands of others' tools. Those of `orchestra` and `make` are checked in test_readme.py.


def aws_commands(text: str) -> Iterator[list[str]]:
    for command in re.findall(r"^aws ([^#\n]+)|`aws ([^`]+)`", text, re.MULTILINE):
        yield shlex.split("".join(command))


@pytest.mark.parametrize("file", [each for each in PAGES if "aws " in each.read_text("utf-8")], ids=lambda p: p.name)
def test_every_command_of_the_aws_cli_is_one_with_the_options_that_it_needs(file: Path) -> None:
    session = botocore.session.get_session()
    for service, command, *words in aws_commands(file.read_text("utf-8")):
        model = session.get_service_model(service)
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        shape = model.operation_model(operations[command]).input_shape
        assert shape is not None
        options = {f"--{xform_name(member, '-')}": member for member in shape.members}
        given = {word for word in words if word.startswith("--")} - {"--query", "--output", "--region"}
        assert given - set(options) == set(), (service, command)
        if words:  # else it is only named
            assert set(shape.required_members) <= {options[each] for each in given}, (service, command)
