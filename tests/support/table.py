"""The table as a client of DynamoDB makes it: the one place where tests say what its keys and indexes are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEYS = {"pk": "S", "sk": "S", "runs_pk": "S", "runs_sk": "S", "open_pk": "S", "check_at": "N"}


def _index(name: str, hash_key: str, range_key: str) -> dict[str, Any]:
    keys = [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}]
    return {"IndexName": name, "KeySchema": keys, "Projection": {"ProjectionType": "KEYS_ONLY"}}


SCHEMA: Mapping[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in KEYS.items()],
    "GlobalSecondaryIndexes": [_index("runs", "runs_pk", "runs_sk"), _index("open_runs", "open_pk", "check_at")],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
}


def create_table(client: DynamoDBClient, name: str) -> str:
    """Make the table, and return its name."""
    client.create_table(TableName=name, **SCHEMA)
    return name
