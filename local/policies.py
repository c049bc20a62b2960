"""Resource policies, as the emulator can apply them. Pure."""

from __future__ import annotations

import json
from typing import Any

from local.errors import LocalError

# On AWS the permission for one message is the permission for a batch; the emulator asks for each by its own name.
_BATCHES = {
    "sqs:sendmessage": "sqs:SendMessageBatch",
    "sqs:deletemessage": "sqs:DeleteMessageBatch",
    "sqs:changemessagevisibility": "sqs:ChangeMessageVisibilityBatch",
}


def with_batch_actions(policy: str) -> str:
    """Return the policy with, beside each action on one message, the name that the emulator has for the batch."""
    document, listed = _parts(policy)
    return json.dumps({**document, "Statement": [_with_batch_actions(statement) for statement in listed]})


def _parts(policy: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        document = json.loads(policy)
        statements = document.get("Statement") or []
    except (ValueError, AttributeError) as error:
        raise LocalError(f"the policy is not a JSON object: {error}") from error
    listed = statements if isinstance(statements, list) else [statements]
    if not all(isinstance(statement, dict) for statement in listed):
        raise LocalError("each Statement of the policy must be an object")
    return document, listed


def _with_batch_actions(statement: dict[str, Any]) -> dict[str, Any]:
    actions = statement.get("Action")
    listed = actions if isinstance(actions, list) else [actions] if actions else []
    added = [_BATCHES[action.lower()] for action in listed if action.lower() in _BATCHES]
    return {**statement, "Action": [*listed, *added]} if added else statement


def without_tls_only(policy: str) -> str:
    """Return the policy without the statements that deny requests which do not use TLS.

    The emulator speaks plain HTTP on loopback, so such a statement would deny every request. A policy of nothing else
    becomes the empty string, which means no policy.
    """
    if not policy:
        return policy
    document, listed = _parts(policy)
    kept = [statement for statement in listed if not _denies_plain_http(statement)]
    if len(kept) == len(listed):
        return policy
    return json.dumps({**document, "Statement": kept}) if kept else ""


def _denies_plain_http(statement: dict[str, Any]) -> bool:
    condition = statement.get("Condition") or {}
    value = (condition.get("Bool") or {}).get("aws:SecureTransport")
    return statement.get("Effect") == "Deny" and len(condition) == 1 and str(value).lower() == "false"
