"""DynamoDB tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from local.errors import LocalError
from local.handlers.base import Handler, Inputs, Outputs, Scope, tag_list
from local.pulumi_runtime import Registered


class Table(Handler):
    type = "aws:dynamodb/table:Table"
    name_limit = 255
    replacing = ("name", "hashKey", "rangeKey", "localSecondaryIndexes")

    def unrecorded(self, scope: Scope, inputs: Inputs) -> Iterable[Registered]:
        dynamodb = scope.aws.client("dynamodb")
        try:
            dynamodb.update_table(TableName=inputs["name"], DeletionProtectionEnabled=False)
        except dynamodb.exceptions.ResourceNotFoundException:
            return []
        return [Registered(inputs["name"], {})]

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        dynamodb = scope.aws.client("dynamodb")
        request = {
            "TableName": inputs["name"],
            "KeySchema": _key_schema(inputs),
            "AttributeDefinitions": _attributes(inputs),
            "BillingMode": inputs.get("billingMode") or "PROVISIONED",
            "StreamSpecification": _stream(inputs),
            "DeletionProtectionEnabled": bool(inputs.get("deletionProtectionEnabled")),
            **_capacity(inputs),
            **_indexes(inputs),
            **tag_list(inputs),
        }
        dynamodb.create_table(**request)
        dynamodb.get_waiter("table_exists").wait(TableName=inputs["name"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        _set_ttl(dynamodb, inputs)
        _set_recovery(dynamodb, inputs)
        return Registered(inputs["name"], _describe(dynamodb, inputs["name"]))

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:
        dynamodb = scope.aws.client("dynamodb")
        name = current.id
        if {"streamEnabled", "streamViewType"} & set(changed):
            dynamodb.update_table(TableName=name, StreamSpecification=_stream(inputs))
        if {"billingMode", "readCapacity", "writeCapacity"} & set(changed):
            billing = inputs.get("billingMode") or "PROVISIONED"
            dynamodb.update_table(TableName=name, BillingMode=billing, **_capacity(inputs))
        if "deletionProtectionEnabled" in changed:
            protected = bool(inputs.get("deletionProtectionEnabled"))
            dynamodb.update_table(TableName=name, DeletionProtectionEnabled=protected)
        if "globalSecondaryIndexes" in changed:
            _change_indexes(dynamodb, name, inputs)
        if "ttl" in changed:
            _set_ttl(dynamodb, inputs)
        if "pointInTimeRecovery" in changed:
            _set_recovery(dynamodb, inputs)
        return _describe(dynamodb, name)

    def delete(self, scope: Scope, current: Registered) -> None:
        dynamodb = scope.aws.client("dynamodb")
        table = dynamodb.describe_table(TableName=current.id)["Table"]
        if table.get("DeletionProtectionEnabled"):
            raise LocalError(
                f"table {current.id} is protected from deletion: set deletionProtectionEnabled to false first"
            )
        dynamodb.delete_table(TableName=current.id)


def _describe(dynamodb: Any, name: str) -> Outputs:
    table = dynamodb.describe_table(TableName=name)["Table"]
    return {
        "arn": table["TableArn"],
        "name": name,
        "streamArn": table.get("LatestStreamArn") or "",
        "streamLabel": table.get("LatestStreamLabel") or "",
    }


def _key_schema(keys: Inputs) -> list[dict[str, str]]:
    pairs = ((keys.get("hashKey"), "HASH"), (keys.get("rangeKey"), "RANGE"))
    return [{"AttributeName": name, "KeyType": kind} for name, kind in pairs if name]


def _attributes(inputs: Inputs) -> list[dict[str, str]]:
    return [{"AttributeName": item["name"], "AttributeType": item["type"]} for item in inputs["attributes"]]


def _capacity(inputs: Inputs) -> dict[str, Any]:
    if inputs.get("billingMode") == "PAY_PER_REQUEST":
        return {}
    read, write = inputs.get("readCapacity") or 1, inputs.get("writeCapacity") or 1
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def _stream(inputs: Inputs) -> dict[str, Any]:
    if not inputs.get("streamEnabled"):
        return {"StreamEnabled": False}
    return {"StreamEnabled": True, "StreamViewType": inputs.get("streamViewType") or "NEW_AND_OLD_IMAGES"}


def _index(item: Inputs, billing: Inputs) -> dict[str, Any]:
    keys = item["keySchemas"] if item.get("keySchemas") else None
    schema = (
        [{"AttributeName": key["attributeName"], "KeyType": key["keyType"]} for key in keys]
        if keys
        else _key_schema(item)
    )
    projection: dict[str, Any] = {"ProjectionType": item["projectionType"]}
    if item.get("nonKeyAttributes"):
        projection["NonKeyAttributes"] = item["nonKeyAttributes"]
    return {"IndexName": item["name"], "KeySchema": schema, "Projection": projection, **_capacity({**billing, **item})}


def _indexes(inputs: Inputs) -> dict[str, Any]:
    settings = {"billingMode": inputs.get("billingMode")}
    indexes = [_index(item, settings) for item in inputs.get("globalSecondaryIndexes") or []]
    local = [
        {**_index({**item, "hashKey": inputs["hashKey"]}, {"billingMode": "PAY_PER_REQUEST"})}
        for item in inputs.get("localSecondaryIndexes") or []
    ]
    return {
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
        **({"LocalSecondaryIndexes": local} if local else {}),
    }


def _change_indexes(dynamodb: Any, name: str, inputs: Inputs) -> None:
    """Remove and add indexes, one in each call as AWS demands; a changed one is removed and added again."""
    table = dynamodb.describe_table(TableName=name)["Table"]
    existing = {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes") or []}
    wanted = {index["IndexName"]: index for index in _indexes(inputs).get("GlobalSecondaryIndexes", [])}
    for index, definition in existing.items():
        if not _same_index(definition, wanted.get(index)):
            dynamodb.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": index}}])
    for index, definition in wanted.items():
        if not _same_index(existing.get(index), definition):
            dynamodb.update_table(
                TableName=name,
                AttributeDefinitions=_attributes(inputs),
                GlobalSecondaryIndexUpdates=[{"Create": definition}],
            )


def _same_index(existing: Inputs | None, wanted: Inputs | None) -> bool:
    if existing is None or wanted is None:
        return False
    return all(existing.get(part) == wanted.get(part) for part in ("KeySchema", "Projection"))


def _set_ttl(dynamodb: Any, inputs: Inputs) -> None:
    ttl = inputs.get("ttl") or {}
    if not ttl.get("attributeName"):
        return
    dynamodb.update_time_to_live(
        TableName=inputs["name"],
        TimeToLiveSpecification={"Enabled": bool(ttl.get("enabled")), "AttributeName": ttl["attributeName"]},
    )


def _set_recovery(dynamodb: Any, inputs: Inputs) -> None:
    enabled = bool((inputs.get("pointInTimeRecovery") or {}).get("enabled"))
    if enabled or "pointInTimeRecovery" in inputs:
        dynamodb.update_continuous_backups(
            TableName=inputs["name"],
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled},
        )
