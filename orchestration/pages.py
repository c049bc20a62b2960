"""Pages of a list, as requests ask for them."""

from __future__ import annotations

import re

from orchestration.errors import InvalidRequest
from orchestration.payload import Json
from orchestration.workflow import shown

MAX_PAGE = 100
DEFAULT_PAGE = 20
CURSOR = re.compile(r"[0-9]{13}#[A-Za-z0-9_-]{1,64}")


def require_page(limit: Json, cursor: Json) -> None:
    """Raise InvalidRequest unless these are a page's size, and the place of a run or None."""
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"limit: must be a whole number from 1 to {MAX_PAGE}, not {shown(limit)}")
    if cursor is not None and (not isinstance(cursor, str) or not CURSOR.fullmatch(cursor)):
        raise InvalidRequest("cursor: is not one that a list has returned")
