from __future__ import annotations

import pytest

from components.orchestration_table import OrchestrationTable
from tests.components.examples import orchestration_table
from tests.snapshot import snapshot

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
        ],
        "globalSecondaryIndexes": [
            {
                "name": "runs",
                "keySchemas": [
                    {"attributeName": "runs_pk", "keyType": "HASH"},
                    {"attributeName": "runs_sk", "keyType": "RANGE"},
                ],
                "projectionType": "KEYS_ONLY",
            }
        ],
        "streamEnabled": True,
        "streamViewType": "NEW_IMAGE",
        "ttl": {"enabled": True, "attributeName": "expires_at"},
        "pointInTimeRecovery": {"enabled": True},
        "deletionProtectionEnabled": False,
    }


@pytest.mark.parametrize("protect", [True, False])
def test_protection_is_asked_of_pulumi_and_of_aws(protect: bool) -> None:  # noqa: FBT001
    table = snapshot(lambda: OrchestrationTable("table", {"protect": protect})).one(TABLE)
    assert (table.protect, table.inputs["deletionProtectionEnabled"]) == (protect, protect)


def test_its_outputs() -> None:
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/table-1234567"
    assert snapshot(orchestration_table).one("orchestra:components:OrchestrationTable").outputs == {
        "table_name": "table-1234567",
        "table_arn": arn,
        "stream_arn": f"{arn}/stream/2026-01-01T00:00:00.000",
    }
