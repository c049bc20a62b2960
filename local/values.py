"""Property values: as plain Python for the handlers, and in a canonical form that can be compared and stored. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pulumi

from local.archives import archive_digest, asset_digest
from local.plan import UNKNOWN
from local.pulumi_runtime import is_secret, is_unknown, unwrap_secret


def plain(value: Any) -> Any:
    """Return a deserialized value without secret wrappers, its whole numbers as ints (the wire has only floats)."""
    if is_secret(value):
        return plain(unwrap_secret(value))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def canonical(value: Any) -> Any:
    """Return a JSON value that is equal for equal inputs: archives and secrets become hashes of their contents."""
    if isinstance(value, Mapping) and not is_secret(value):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return _canonical_leaf(value)


def _canonical_leaf(value: Any) -> Any:
    if is_secret(value):
        text = json.dumps(canonical(unwrap_secret(value)), sort_keys=True)
        return {"$secret": hashlib.sha256(text.encode()).hexdigest()}
    if is_unknown(value):
        return UNKNOWN
    match value:
        case pulumi.Archive():
            return {"$archive": archive_digest(value)}
        case pulumi.Asset():
            return {"$asset": asset_digest(value)}
        case pulumi.Resource():
            return "$resource"
    return plain(value)


def has_secret(value: Any) -> bool:
    if is_secret(value):
        return True
    if isinstance(value, Mapping):
        return any(has_secret(item) for item in value.values())
    return isinstance(value, list | tuple) and any(has_secret(item) for item in value)
