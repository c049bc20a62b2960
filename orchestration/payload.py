"""JSON as Orchestra accepts it: strict, UTF-8, and no larger than the limit. Pure.

Payloads (run inputs, task parameters, task outputs) are kept and passed on as compact JSON text, so that what a
task returned is what the next task gets: no number passes through a database's own number type.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any, NoReturn

from orchestration.errors import PayloadError, PayloadTooLarge

Json = Any
"""Any value that JSON can express: None, bool, int, float, str, list or dict with string keys."""

LIMIT_BYTES = 262_144
"""The most that a run input or a task output may take, as compact UTF-8 JSON: what Step Functions allows, so that both
engines agree. Source: docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html (2026)."""


MAX_DEPTH = 200
"""The most levels of lists and objects within each other. Every function that passes a payload on can read that many,
however much of its stack is in use; without a limit, what one accepted could be too deep for the next."""


def dump(value: Json, *, what: str, limit: int | None = LIMIT_BYTES, depth: int = MAX_DEPTH) -> str:
    """Return `value` as compact JSON text. Raises PayloadError, naming `what`, the problem and the limit.

    Without a limit, the value must be one that was read from text: others can grow without end by sharing.
    """
    _require_json(value, what, limit, depth)
    try:
        text = compact(value)
        size = len(text.encode())
    except UnicodeEncodeError:
        raise PayloadError(f"{what}: holds a lone surrogate, which UTF-8 cannot express") from None
    except ValueError as exc:
        raise PayloadError(f"{what}: is not JSON ({exc})") from None
    if limit is not None and size > limit:
        raise _too_large(what, str(size), limit)
    return text


def compact(value: Json) -> str:
    """Return a value that is known to be JSON as text without spaces, its keys in their order."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def dump_sorted(value: Json) -> str:
    """Return a value that is known to be JSON as canonical text: keys sorted at every level, no spaces."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


def parse(text: str | bytes, *, what: str) -> Json:
    """Return the value of JSON text. Raises PayloadError for duplicate keys, NaN, bad UTF-8, and what no double holds.

    No number is rounded silently: one with more digits than a double has is refused. A whole number is no double.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_float)
    except UnicodeDecodeError:
        raise PayloadError(f"{what}: is not UTF-8") from None
    except RecursionError:
        raise PayloadError(f"{what}: is nested too deeply") from None
    except _Rounded as exc:
        raise PayloadError(f"{what}: {exc}") from None
    except ValueError as exc:
        raise PayloadError(f"{what}: is not JSON ({exc})") from None


def digest(text: str) -> str:
    """Return the SHA-256 of a text, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def _require_json(value: object, what: str, limit: int | None, most: int) -> None:
    """Refuse what json.dumps would quietly turn into something else, and what has no end. It takes no recursion."""
    stack = [(value, 0)]
    least = 1  # how many values there are: each takes one byte at least
    while stack:
        item, depth = stack.pop()
        if isinstance(item, dict | list):
            if depth == most:
                raise PayloadError(f"{what}: is nested more than {most} levels deep, or holds itself")
            for key in item if isinstance(item, dict) else ():
                if not isinstance(key, str):
                    raise PayloadError(f"{what}: has the key {key!r}, and JSON keys are strings")
            least += len(item)
            if limit is not None and least > limit:
                raise _too_large(what, f"more than {limit}", limit)
            inner = item.values() if isinstance(item, dict) else item
            stack.extend((value, depth + 1) for value in inner)
        elif item is not None and not isinstance(item, str | int | float):
            raise PayloadError(f"{what}: holds a {type(item).__name__}, which JSON cannot express")
        elif isinstance(item, float) and not math.isfinite(item):
            raise PayloadError(f"{what}: holds {item}, which JSON cannot express")


def _too_large(what: str, size: str, limit: int) -> PayloadTooLarge:
    advice = "pass a reference to it instead (an S3 key)"
    return PayloadTooLarge(f"{what}: is {size} bytes as JSON, and the limit is {limit}; {advice}")


def _unique_keys(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:80]!r} is there twice")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


class _Rounded(ValueError):
    """A number that is JSON, and that a double cannot hold as it is written."""


def _float(text: str) -> float:
    """Return the number, if it is one that is written so: 0.1 is, 0.10 and 0.10000000000000001, which is the same."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is too large")
    digits = _digits(text)
    # As short as may be, or with as many digits as this text has. The two differ where the next digit is a last 5.
    if digits not in {_digits(repr(value)), _digits(f"{value:.{max(0, len(digits) - 1)}e}")}:
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise _Rounded(f"holds the number {shown}, which would be rounded to {value!r}; send it as a string")
    return value


def _digits(number: str) -> str:
    """Return the significant digits of a number as it is written."""
    return number.lower().partition("e")[0].lstrip("-").replace(".", "").strip("0")
