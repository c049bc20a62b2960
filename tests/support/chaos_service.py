"""The service `probe` as the tests of recovery deploy it: its tests hold it, fail it, and read what it did.

It works in the folder that the run's input names. While `hold-<task>` is there, the task waits; if `fail-<task>` is
there, it fails. Each of its effects is a line in `journal`: what, which task, which attempt.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


class Broken(Exception):
    """The test wants this task to fail."""


def handler(event: dict[str, Any], _context: object) -> int:
    folder, task = Path(event["input"]["folder"]), event["task_id"]
    note(folder, "began", event)
    while (folder / f"hold-{task}").exists():
        time.sleep(0.02)
    if (folder / f"fail-{task}").exists():
        raise Broken(task)
    note(folder, "ended", event)
    total: int = event["params"]["add"] + sum(event["upstream"].values())
    return total


def note(folder: Path, what: str, event: dict[str, Any]) -> None:
    line = f"{what} {event['idempotency_key']} {event['attempt']}\n"
    # One write, so that the lines of many processes do not mix.
    journal = os.open(folder / "journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(journal, line.encode())
    finally:
        os.close(journal)
