"""Run ids: made here, not by the service, so that a start that is sent twice is still one run. Pure."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from cli.errors import BadInput
from orchestration.workflow import ID

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # without 0 o 1 l, which people misread
_LONGEST_NAME = 64 - len("-20261123-223100-x7k2q9")


def new_run_id(workflow: str, now_ms: int, token: str | None = None) -> str:
    """Return an id that sorts by time within its workflow, e.g. abc-20261123-223100-x7k2q9 (UTC)."""
    when = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
    return f"{workflow[:_LONGEST_NAME]}-{when:%Y%m%d-%H%M%S}-{token or new_token()}"


def new_token() -> str:
    """Return 6 random characters: two starts in one second collide once in a thousand million."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(6))


def require_id(what: str, value: str) -> str:
    """Return the id unchanged. Raises BadInput before anything is sent."""
    if not ID.fullmatch(value):
        shown = ascii(value if len(value) <= 70 else value[:67] + "...")
        raise BadInput(f"{what}: {shown} is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -")
    return value
