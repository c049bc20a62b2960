"""Workflow definitions: those that the program declares, those that were registered, and the versions that runs pin."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from orchestration import codec, payload
from orchestration.errors import NotFound, OrchestraError
from orchestration.workflow import Workflow

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Entry:
    """The current version of one workflow."""

    name: str
    version: str
    tasks: int
    source: Literal["declared", "registered"]
    flow: str | None = None  # the version that its state machine was given last, if it has one


class Definitions(Protocol):
    """Where definitions are kept. A version is immutable: it is named by its content."""

    def get_version(self, name: str, version: str) -> str | None:
        """Return a canonical definition."""

    def put_version(self, workflow: Workflow) -> None:
        """Store a version, if it is not there yet. Raises WorkflowError if it is too large to be stored."""

    def get_registration(self, name: str) -> Entry | None: ...

    def put_registration(self, entry: Entry) -> None:
        """Store an entry. One without `flow` leaves the version of the state machine as it is stored."""

    def registrations(self) -> Iterator[Entry]: ...


class Catalog:
    """Finds definitions, and keeps those that it has seen: a version never changes.

    `flows` are the declared workflows that the program makes a state machine of; None: all of them.
    """

    def __init__(
        self, definitions: Definitions, declared: Sequence[Workflow] = (), flows: Container[str] | None = None
    ) -> None:
        self._definitions = definitions
        self._declared = {workflow.name: workflow for workflow in declared}
        self._flows = self._declared if flows is None else flows
        self._seen: dict[str, Workflow] = {}
        self._stored: set[str] = set()

    def is_declared(self, name: str) -> bool:
        return name in self._declared

    def current(self, name: str) -> Workflow:
        """Return the version that a new run gets; it may not be stored yet, see `keep`. Raises NotFound."""
        if workflow := self._declared.get(name):
            return workflow
        entry = self._definitions.get_registration(name)
        if entry is None:
            known = ", ".join(sorted(self._declared)) or "none"
            raise NotFound(f"workflow: there is no {name!r}; declared: {known}; `orchestra register FILE` adds one")
        return self.pinned(name, entry.version)

    def pinned(self, name: str, version: str) -> Workflow:
        """Return one version of a workflow."""
        if version not in self._seen:
            canonical = self._definitions.get_version(name, version)
            if canonical is None:
                raise OrchestraError(f"{name}: the definition {version} is missing from the table")
            self._seen[version] = Workflow.from_json(payload.parse(canonical, what="definition"))
            self._stored.add(version)
        return self._seen[version]

    def register(self, workflow: Workflow, *, flow: bool = False) -> bool:
        """Make a workflow the current one of its name. Tells whether that changed anything.

        `flow`: its state machine has been given this version too; else that keeps the one that it has.
        """
        before = self._definitions.get_registration(workflow.name)
        machine = workflow.version if flow else None
        entry = Entry(workflow.name, workflow.version, len(workflow.tasks), "registered", machine)
        if before is not None and before == replace(entry, flow=machine or before.flow):
            return False
        self.keep(workflow)
        self._definitions.put_registration(entry)
        return True

    def entry(self, name: str) -> Entry | None:
        """Return one workflow, if there is one of this name."""
        declared = self._declared.get(name)
        return self._entry(declared) if declared else self._definitions.get_registration(name)

    def entries(self) -> list[Entry]:
        """Return every workflow, by name."""
        declared = [self._entry(workflow) for workflow in self._declared.values()]
        registered = [e for e in self._definitions.registrations() if not self.is_declared(e.name)]
        return sorted([*declared, *registered], key=lambda entry: entry.name)

    def _entry(self, workflow: Workflow) -> Entry:
        """Return that of a declared workflow, whose machine the program makes with the same definition."""
        flow = workflow.version if workflow.name in self._flows else None
        return Entry(workflow.name, workflow.version, len(workflow.tasks), "declared", flow)

    def keep(self, workflow: Workflow) -> None:
        """Make sure that a version is stored, for whoever pins it."""
        if workflow.version not in self._stored:
            self._definitions.put_version(workflow)
            self._stored.add(workflow.version)
            self._seen[workflow.version] = workflow


class DynamoDefinitions:
    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get_version(self, name: str, version: str) -> str | None:
        item = self._get(codec.definition_key(name, version))
        return codec.decode_definition(item) if item else None

    def put_version(self, workflow: Workflow) -> None:
        # Whoever wrote it before wrote the same, so this needs no condition; reading is eight times cheaper.
        if self._get(codec.definition_key(workflow.name, workflow.version)) is None:
            self._put(codec.encode_definition(workflow.name, workflow.version, workflow.canonical()))

    def get_registration(self, name: str) -> Entry | None:
        item = self._get(codec.registration_key(name))
        return _entry(item) if item else None

    def put_registration(self, entry: Entry) -> None:
        # An update, and not a put of what was read before: somebody else may have given it a state machine since.
        item = codec.encode_registration(entry.name, entry.version, entry.tasks, entry.flow)
        key = codec.registration_key(entry.name)
        fields = {name: value for name, value in item.items() if name not in key}
        self._client.update_item(
            TableName=self._table,
            Key=key,
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in fields),
            ExpressionAttributeNames={f"#{name}": name for name in fields},
            ExpressionAttributeValues={f":{name}": value for name, value in fields.items()},
        )

    def registrations(self) -> Iterator[Entry]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": codec.REGISTRATIONS}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from (_entry(item) for item in page["Items"])

    def _get(self, key: dict[str, Any]) -> codec.Item | None:
        return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")

    def _put(self, item: dict[str, Any]) -> None:
        self._client.put_item(TableName=self._table, Item=item)


def _entry(item: codec.Item) -> Entry:
    name, version, tasks, flow = codec.decode_registration(item)
    return Entry(name, version, tasks, "registered", flow)
