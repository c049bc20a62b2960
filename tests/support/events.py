"""Events as AWS records them, from tests/events/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "events"


def event(name: str) -> dict[str, Any]:
    """Return an event, each time a copy of its own."""
    read: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return read
