from __future__ import annotations

import pytest

from components import arns


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (
            "arn:aws:lambda:us-east-1:123456789012:function:task-a",
            "arn:aws:states:us-east-1:123456789012:stateMachine:m",
        ),
        (
            "arn:aws-cn:dynamodb:cn-north-1:210987654321:table/runs/stream/2026-01-01T00:00:00.000",
            "arn:aws-cn:states:cn-north-1:210987654321:stateMachine:m",
        ),
    ],
)
def test_what_is_beside_a_resource_is_in_its_partition_region_and_account(arn: str, expected: str) -> None:
    assert arns.beside(arn, "states", "stateMachine:m") == expected


@pytest.mark.parametrize("name", ["orchestra-dev-abc", "orchestra-dev-*"])
def test_the_executions_of_a_machine_or_of_many(name: str) -> None:
    machine = f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}"
    assert arns.executions(machine) == f"arn:aws:states:us-east-1:123456789012:execution:{name}:*"
