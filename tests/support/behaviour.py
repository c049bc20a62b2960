"""What tasks do in tests: they fail, always or for a while, by name or by chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from orchestration.payload import Json
from tests.support.world import World

SUCCEEDED, FAILED, CANCELED = "SUCCEEDED", "FAILED", "CANCELED"


class Boom(Exception):
    pass


def failing(*task_ids: str) -> Callable[[Mapping[str, Json]], Json]:
    """Make a task that raises where it is one of these."""

    def task(event: Mapping[str, Json]) -> Json:
        if event["task_id"] in task_ids:
            raise Boom(f"{event['task_id']} broke")
        return event["task_id"]

    return task


def called(world: World) -> list[str]:
    return [str(event["task_id"]) for _, event, _ in world.services.calls]


def failing_times(times: int) -> Callable[[Mapping[str, Json]], Json]:
    def task(event: Mapping[str, Json]) -> Json:
        if event["attempt"] <= times:
            raise Boom(f"attempt {event['attempt']}")
        return event["attempt"]

    return task


def unreliable(order: random.Random) -> Callable[[Mapping[str, Json]], Json]:
    """Make a task that fails by chance: always one for good, or now and then."""
    rate = order.choice([0, 0, 0.2, 0.6])

    def task(event: Mapping[str, Json]) -> Json:
        if order.random() < rate:
            raise Boom(str(event["task_id"]))
        return event["task_id"]

    return task
