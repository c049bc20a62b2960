"""Task B3: how much information a text holds, and how well it compresses. The contract is in README.md."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import zstandard

ZLIB_LEVEL = 6  # the defaults of the two command-line tools, so that the sizes are those that people know
ZSTD_LEVEL = 3


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    data = _read_text(event).encode()
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "document": event.get("upstream", {}).get("A"),
        "bytes": len(data),
        "entropy_bits_per_byte": _entropy(data),
        "zlib": _compressed(data, zlib.compress(data, ZLIB_LEVEL)),
        "zstd": _compressed(data, zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(data)),
    }


def _entropy(data: bytes) -> float | None:
    """Return Shannon's entropy of the byte frequencies, 0 to 8 bits per byte; nothing has none."""
    if not data:
        return None
    shares = (count / len(data) for count in Counter(data).values())
    return round(math.fsum(share * math.log2(1 / share) for share in shares), 4)


def _compressed(data: bytes, compressed: bytes) -> dict[str, float | None]:
    ratio = round(len(data) / len(compressed), 4) if data else None
    return {"bytes": len(compressed), "ratio": ratio}


class InvalidInput(ValueError):
    """The run's input is not a text. The name is the contract: a retry policy can select on it."""


def _read_text(event: Mapping[str, Any]) -> str:
    """Return the text of the run's input. Raises InvalidInput.

    Every service that reads the text has its own copy of this rule, since each is deployed alone;
    tests/services/test_input.py holds the copies to the same answers.
    """
    value = event.get("input")
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        found = _kind(value)
        if isinstance(value, dict):
            found = f'an object whose "text" is {_kind(text)}' if "text" in value else 'an object without "text"'
        raise InvalidInput(f'input must be a string, or an object whose "text" is a string, and it is {found}')
    try:
        text.encode()
    except UnicodeEncodeError:
        message = "input must be Unicode text, and it holds a lone surrogate, which UTF-8 cannot express"
        raise InvalidInput(message) from None
    return text


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
