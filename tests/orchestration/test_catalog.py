"""Where definitions come from: declared, registered, pinned; in memory and in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration import codec
from orchestration.catalog import Catalog, Definitions, DynamoDefinitions, Entry
from orchestration.errors import NotFound, OrchestraError, WorkflowError
from orchestration.workflow import Task, Workflow
from tests.support import shapes
from tests.support.memory import MemoryDefinitions

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ABC = shapes.diamond()
OTHER = Workflow("other", {"A": Task("a")})
OTHER_2 = Workflow("other", {"A": Task("a"), "B": Task("b")})


@pytest.fixture(params=["memory", "moto"])
def definitions(request: pytest.FixtureRequest) -> Definitions:
    if request.param == "memory":
        return MemoryDefinitions()
    return DynamoDefinitions(request.getfixturevalue("dynamodb"), "orchestra")


def test_a_declared_workflow_is_current_without_being_stored(definitions: Definitions) -> None:
    catalog = Catalog(definitions, [ABC])
    assert catalog.current("abc") is ABC
    assert catalog.is_declared("abc")
    assert not catalog.is_declared("other")
    assert definitions.get_version("abc", ABC.version) is None


def test_a_version_is_stored_once_it_is_kept(definitions: Definitions) -> None:
    Catalog(definitions, [ABC]).keep(ABC)
    Catalog(definitions, [ABC]).keep(ABC)
    assert definitions.get_version("abc", ABC.version) == ABC.canonical()
    assert Catalog(definitions).pinned("abc", ABC.version) == ABC


def test_a_registered_workflow_is_current(definitions: Definitions) -> None:
    assert Catalog(definitions).register(OTHER) is True
    assert Catalog(definitions).register(OTHER) is False
    assert Catalog(definitions).current("other") == OTHER
    assert definitions.get_registration("other") == Entry("other", OTHER.version, 1, "registered")


def test_a_later_version_takes_the_name_and_an_earlier_one_stays(definitions: Definitions) -> None:
    catalog = Catalog(definitions)
    catalog.register(OTHER)
    assert catalog.register(OTHER_2) is True
    assert catalog.current("other") == OTHER_2
    assert Catalog(definitions).pinned("other", OTHER.version) == OTHER
    assert catalog.register(OTHER) is True
    assert Catalog(definitions).current("other") == OTHER


def test_a_registration_remembers_the_version_of_its_state_machine(definitions: Definitions) -> None:
    catalog = Catalog(definitions)
    assert catalog.register(OTHER) is True
    assert catalog.entry("other") == Entry("other", OTHER.version, 1, "registered", None)
    assert catalog.register(OTHER, flow=True) is True
    assert catalog.register(OTHER, flow=True) is False
    assert catalog.register(OTHER) is False, "it has its machine still"
    assert catalog.register(OTHER_2) is True
    assert catalog.entry("other") == Entry("other", OTHER_2.version, 2, "registered", OTHER.version)
    assert catalog.register(OTHER_2, flow=True) is True
    assert catalog.entries() == [Entry("other", OTHER_2.version, 2, "registered", OTHER_2.version)]


def test_one_entry(definitions: Definitions) -> None:
    catalog = Catalog(definitions, [ABC])
    catalog.register(Workflow("abc", {"A": Task("a")}))
    assert catalog.entry("abc") == Entry("abc", ABC.version, 5, "declared", ABC.version)
    assert catalog.entry("abd") is None


def test_a_workflow_that_there_is_not(definitions: Definitions) -> None:
    with pytest.raises(NotFound) as error:
        Catalog(definitions, [ABC, OTHER]).current("abd")
    assert str(error.value) == "workflow: there is no 'abd'; declared: abc, other; `orchestra register FILE` adds one"
    with pytest.raises(NotFound, match="declared: none;"):
        Catalog(definitions).current("abd")


def test_a_version_that_is_missing(definitions: Definitions) -> None:
    with pytest.raises(OrchestraError) as error:
        Catalog(definitions).pinned("abc", "f" * 64)
    assert str(error.value) == f"abc: the definition {'f' * 64} is missing from the table"


def test_entries_by_name_a_declared_one_before_a_registered_one(definitions: Definitions) -> None:
    catalog = Catalog(definitions)
    catalog.register(OTHER_2)
    catalog.register(Workflow("abc", {"A": Task("a")}))
    catalog.register(Workflow("aaa", {"A": Task("a")}))
    aaa = Entry("aaa", Workflow("aaa", {"A": Task("a")}).version, 1, "registered")
    assert Catalog(definitions, [ABC]).entries() == [
        aaa,
        Entry("abc", ABC.version, 5, "declared", ABC.version),
        Entry("other", OTHER_2.version, 2, "registered"),
    ]
    assert Catalog(MemoryDefinitions(), [ABC]).entries() == [Entry("abc", ABC.version, 5, "declared", ABC.version)]


def test_what_was_read_once_is_not_read_again(definitions: Definitions) -> None:
    Catalog(definitions).register(OTHER)
    catalog = Catalog(definitions)
    first = catalog.pinned("other", OTHER.version)
    assert catalog.pinned("other", OTHER.version) is first


def test_a_definition_too_large_for_an_item_is_refused_and_not_registered(
    dynamodb: DynamoDBClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "PLAIN_DEFINITION_BYTES", 10)
    monkeypatch.setattr(codec, "MAX_DEFINITION_BYTES", 10)
    with pytest.raises(WorkflowError, match=r"^tasks: the definition is \d+ bytes compressed, and the limit is 10$"):
        Catalog(DynamoDefinitions(dynamodb, "orchestra")).register(OTHER)
    assert dynamodb.scan(TableName="orchestra")["Items"] == []


def test_ten_thousand_tasks_can_be_stored(dynamodb: DynamoDBClient) -> None:
    workflow = shapes.layered(10, 1000)
    Catalog(DynamoDefinitions(dynamodb, "orchestra")).register(workflow)
    (item,) = [i for i in dynamodb.scan(TableName="orchestra")["Items"] if "definition_zlib" in i]
    assert len(item["definition_zlib"]["B"]) < codec.MAX_DEFINITION_BYTES
    assert Catalog(DynamoDefinitions(dynamodb, "orchestra")).current("layered") == workflow


def test_a_machine_that_was_made_meanwhile_is_not_forgotten(definitions: Definitions) -> None:
    Catalog(definitions).register(OTHER, flow=True)
    # What a registration writes that has looked before: it knew of no machine.
    definitions.put_registration(Entry("other", OTHER.version, 1, "registered"))
    assert Catalog(definitions).entry("other") == Entry("other", OTHER.version, 1, "registered", OTHER.version)
