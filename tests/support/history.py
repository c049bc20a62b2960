"""The writes of runs, from the images of their items: what the checker of the invariants looks at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestration import codec
from orchestration.invariants import Write
from orchestration.model import Run, TaskState


def writes(found: Iterable[Mapping[str, Any]]) -> dict[str, list[Write]]:
    """Return the writes of each run, as (old record, new record), from the images in the order of the writes."""
    histories: dict[str, list[Write]] = {}
    last: dict[tuple[str, str], Run | TaskState] = {}
    for image in found:
        record = record_of(image)
        if record is not None:
            key = (record.run_id, record.task_id if isinstance(record, TaskState) else "")
            histories.setdefault(record.run_id, []).append((last.get(key), record))
            last[key] = record
    return histories


def record_of(image: Mapping[str, Any]) -> Run | TaskState | None:
    """Return the run or the task of an image; None, if it is of something else."""
    if codec.task_of_key(image):
        return codec.decode(image, TaskState)
    is_run = image["pk"]["S"].startswith(codec.RUN) and image["sk"]["S"] == "RUN"
    return codec.decode(image, Run) if is_run else None
