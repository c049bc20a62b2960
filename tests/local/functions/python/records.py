# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201 - deployed as it is, not part of the suite
"""Counts in a table how often each record was delivered, and fails those that say so, the first time."""

import json
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["COUNTS"])


def handler(event, _context):
    failures = []
    for record in event["Records"]:
        body = json.loads(record["body"]) if "body" in record else {"key": record["dynamodb"]["Keys"]["pk"]["S"]}
        count = table.update_item(
            Key={"pk": body["key"]},
            UpdateExpression="ADD deliveries :one",
            ExpressionAttributeValues={":one": 1},
            ReturnValues="UPDATED_NEW",
        )["Attributes"]["deliveries"]
        if body["key"].startswith("fails-once") and count == 1:
            failures.append({"itemIdentifier": record.get("messageId") or record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failures}
