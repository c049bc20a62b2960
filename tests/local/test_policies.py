from __future__ import annotations

import json
from typing import Any

import pytest

from local.errors import LocalError
from local.policies import with_batch_actions, without_tls_only

ALLOW = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", "Principal": "*"}
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_what_denies_plain_http_is_left_out_and_nothing_else() -> None:
    assert without_tls_only(policy(TLS_ONLY, ALLOW)) == policy(ALLOW)
    assert without_tls_only(policy(TLS_ONLY)) == ""
    assert without_tls_only("") == ""
    also = {**TLS_ONLY, "Condition": {**TLS_ONLY["Condition"], "StringEquals": {"aws:PrincipalAccount": "1"}}}  # type: ignore[dict-item]
    for kept in (ALLOW, {**TLS_ONLY, "Effect": "Allow"}, also):
        assert without_tls_only(policy(kept)) == policy(kept)


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ("sqs:SendMessage", ["sqs:SendMessage", "sqs:SendMessageBatch"]),
        (["sqs:DeleteMessage", "s3:GetObject"], ["sqs:DeleteMessage", "s3:GetObject", "sqs:DeleteMessageBatch"]),
        ("dynamodb:GetItem", "dynamodb:GetItem"),
    ],
)
def test_a_permission_for_one_message_is_one_for_a_batch(actions: Any, expected: Any) -> None:
    changed = json.loads(with_batch_actions(policy({**ALLOW, "Action": actions})))
    assert changed["Statement"] == [{**ALLOW, "Action": expected}]


@pytest.mark.parametrize("text", ["not JSON", "[]", '{"Statement": ["x"]}'])
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(LocalError, match="policy"):
        with_batch_actions(text)
