"""The table as a client of DynamoDB makes it: the one place where tests say what its keys and indexes are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SCHEMA: Mapping[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "runs_pk", "runs_sk")
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "runs",
            "KeySchema": [
                {"AttributeName": "runs_pk", "KeyType": "HASH"},
                {"AttributeName": "runs_sk", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
}


def create_table(client: DynamoDBClient, name: str) -> str:
    """Make the table, and return its name."""
    client.create_table(TableName=name, **SCHEMA)
    return name
