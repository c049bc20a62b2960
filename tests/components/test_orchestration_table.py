from __future__ import annotations

import pytest

from components.orchestration_table import OrchestrationTable
from tests.components.examples import orchestration_table
from tests.snapshot import snapshot
from tests.support import table

TABLE = "aws:dynamodb/table:Table"


def test_the_table() -> None:
    assert snapshot(orchestration_table).one(TABLE).inputs == {
        "billingMode": "PAY_PER_REQUEST",
        "hashKey": "pk",
        "rangeKey": "sk",
        "attributes": [
            {"name": "pk", "type": "S"},
            {"name": "sk", "type": "S"},
            {"name": "runs_pk", "type": "S"},
            {"name": "runs_sk", "type": "S"},
            {"name": "open_pk", "type": "S"},
            {"name": "check_at", "type": "N"},
        ],
        "globalSecondaryIndexes": [
            {
                "name": "runs",
                "keySchemas": [
                    {"attributeName": "runs_pk", "keyType": "HASH"},
                    {"attributeName": "runs_sk", "keyType": "RANGE"},
                ],
                "projectionType": "KEYS_ONLY",
            },
            {
                "name": "open_runs",
                "keySchemas": [
                    {"attributeName": "open_pk", "keyType": "HASH"},
                    {"attributeName": "check_at", "keyType": "RANGE"},
                ],
                "projectionType": "KEYS_ONLY",
            },
        ],
        "streamEnabled": True,
        "streamViewType": "NEW_IMAGE",
        "ttl": {"enabled": True, "attributeName": "expires_at"},
        "pointInTimeRecovery": {"enabled": True},
        "deletionProtectionEnabled": False,
    }


@pytest.mark.parametrize("protect", [True, False])
def test_protection_is_asked_of_pulumi_and_of_aws(protect: bool) -> None:  # noqa: FBT001
    made = snapshot(lambda: OrchestrationTable("table", {"protect": protect})).one(TABLE)
    assert (made.protect, made.inputs["deletionProtectionEnabled"]) == (protect, protect)


def test_the_tests_make_the_same_table() -> None:
    given = table.SCHEMA
    made = snapshot(orchestration_table).one(TABLE).inputs
    keys = {"attributeName": "AttributeName", "keyType": "KeyType", "name": "AttributeName", "type": "AttributeType"}

    def named(items: list[dict[str, str]]) -> list[dict[str, str]]:
        return [{keys[name]: value for name, value in item.items()} for item in items]

    indexes = [
        {
            "IndexName": index["name"],
            "KeySchema": named(index["keySchemas"]),
            "Projection": {"ProjectionType": index["projectionType"]},
        }
        for index in made["globalSecondaryIndexes"]
    ]
    assert given == {
        "BillingMode": made["billingMode"],
        "KeySchema": [
            {"AttributeName": made["hashKey"], "KeyType": "HASH"},
            {"AttributeName": made["rangeKey"], "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": named(made["attributes"]),
        "GlobalSecondaryIndexes": indexes,
        "StreamSpecification": {"StreamEnabled": made["streamEnabled"], "StreamViewType": made["streamViewType"]},
    }


def test_its_outputs() -> None:
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/table-1234567"
    assert snapshot(orchestration_table).one("orchestra:components:OrchestrationTable").outputs == {
        "table_name": "table-1234567",
        "table_arn": arn,
        "stream_arn": f"{arn}/stream/2026-01-01T00:00:00.000",
    }
