"""Stream records: which task each is about. State is never taken from them: they may be late, or come again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration import codec
from orchestration.errors import OrchestraError


def task_of(record: Any) -> tuple[str, str] | None:
    """Return the run and the task that a record is about, or None if it is about something else.

    Raises OrchestraError if it is no record of ours at all: it is for the on-failure queue then.
    """
    match record:
        case {"eventName": "REMOVE"}:
            return None  # the table's retention
        case {"dynamodb": {"Keys": {"pk": {"S": str()}, "sk": {"S": str()}} as keys}}:
            return codec.task_of_key(keys)
    # Not its content: an image holds what tasks returned, and errors are logged.
    event_id = record.get("eventID") if isinstance(record, Mapping) else None
    raise OrchestraError(f"not a stream record of the table: {str(event_id)[:64]!r}")
