"""What metrics say of a span of time: their values added up, from log lines or from CloudWatch. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cli.errors import BadInput
from orchestration.metrics import METRICS, Kind
from orchestration.payload import Json

_SPAN = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

# CloudWatch keeps minutes for 15 days.
# Source: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html, "Metrics retention" (2026).
MAX_SPAN_S = 14 * 86_400

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A metric's name, and its dimensions with their contents."""


@dataclass(frozen=True)
class Reading:
    """One metric in one span of time. Of a metric that nothing was told of in it there is none."""

    name: str
    dimensions: Mapping[str, str]
    samples: int
    total: float
    maximum: float

    @property
    def kind(self) -> Kind:
        known = METRICS.get(self.name)
        return known.kind if known else Kind.GAUGE

    @property
    def average(self) -> float:
        return self.total / self.samples

    def document(self) -> dict[str, Json]:
        known = METRICS.get(self.name)
        return {
            "name": self.name,
            "dimensions": dict(self.dimensions),
            "unit": known.unit if known else None,
            "samples": self.samples,
            "sum": self.total,
            "average": self.average,
            "maximum": self.maximum,
        }


def span_s(text: str) -> int:
    """Return the seconds of a span such as 90s, 15m, 2h or 7d. Raises BadInput."""
    match = _SPAN.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 1 <= seconds <= MAX_SPAN_S:
        raise BadInput(f"--since: {text[:40]!a} is not a span of time up to 14d, such as 90s, 15m, 2h or 7d")
    return seconds


def from_lines(lines: Iterable[str], namespace: str) -> list[Reading]:
    """Return what the lines of a log tell in the embedded metric format, as CloudWatch would take them.

    Source: docs.aws.amazon.com/AmazonCloudWatch, "Specification: Embedded metric format" (2026).
    """
    values: dict[Key, list[float]] = {}
    for line in lines:
        for key, found in _told(line, namespace):
            values.setdefault(key, []).extend(found)
    return ordered(
        Reading(name, dict(dimensions), len(found), sum(found), max(found))
        for (name, dimensions), found in values.items()
    )


def ordered(readings: Iterable[Reading]) -> list[Reading]:
    """Return the readings as the list of metrics has them, each without dimensions first."""
    order = {name: number for number, name in enumerate(METRICS)}
    return sorted(readings, key=lambda r: (order.get(r.name, len(order)), r.name, sorted(r.dimensions.items())))


def _told(line: str, namespace: str) -> list[tuple[Key, list[float]]]:
    try:
        document = json.loads(line) if '"CloudWatchMetrics"' in line else {}
        directives = document["_aws"]["CloudWatchMetrics"] if document else []
        return [
            ((metric["Name"], tuple((name, str(document[name])) for name in names)), _numbers(document[metric["Name"]]))
            for directive in directives
            if directive["Namespace"] == namespace
            for metric in directive["Metrics"]
            for names in directive["Dimensions"]
        ]
    except (ValueError, TypeError, KeyError):  # not one of the engine's: a service may print what it likes
        return []


def _numbers(value: Json) -> list[float]:
    values = value if isinstance(value, list) else [value]
    return [float(each) for each in values if isinstance(each, int | float)]
