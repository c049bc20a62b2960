"""Many runs of small graphs at once: what they are, what has to come out of them, and what the table's stream tells."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.invariants import Checker, Violation
from orchestration.model import Run, TaskState
from orchestration.workflow import Workflow
from tests.support import history
from tests.support.chaos import Lab, task

WORKFLOWS = 8
PAGE = 1_000
TIMEOUT_S = 5
"""A lease is as long, and what a lost worker leaves behind is not looked at before."""
RETRY = {"max_attempts": 12, "delay_s": 1, "backoff": 1, "on": ["*"]}
"""More attempts than any task here uses up, whatever befalls it."""


def workflows(chance: random.Random) -> list[dict[str, Any]]:
    return [graph(f"chaos-{number}", chance) for number in range(WORKFLOWS)]


def graph(name: str, chance: random.Random) -> dict[str, Any]:
    """Return a workflow of 5 to 10 tasks: layers of one to three between a first task and a last one."""
    tasks = {"first": task(add=chance.randrange(100), timeout_s=TIMEOUT_S, retry=RETRY)}
    before, layers = ["first"], chance.choice([[3], [2, 2], [3, 2], [1, 3, 1], [3, 3], [2, 3, 2], [3, 2, 3]])
    for depth, width in enumerate(layers):
        now = [f"t{depth}{number}" for number in range(width)]
        for task_id in now:
            after = chance.sample(before, chance.randint(1, len(before)))
            tasks[task_id] = task(*after, add=chance.randrange(100), timeout_s=TIMEOUT_S, retry=RETRY)
        before = now
    followed = {d for t in tasks.values() for d in t["after"]}
    tasks["last"] = task(*(t for t in tasks if t not in followed), timeout_s=TIMEOUT_S, retry=RETRY)
    return {"name": name, "tasks": tasks}


def expected_output(definition: Mapping[str, Any]) -> int:
    """Return what the last task returns if every task ran on the outputs of those before it."""
    outputs: dict[str, int] = {}
    for task_id, node in definition["tasks"].items():  # each comes after those that it names
        outputs[task_id] = node["params"]["add"] + sum(outputs[d] for d in node["after"])
    return outputs["last"]


@dataclass
class History:
    """The writes of each run, as far as they were read from the stream, and whose are not complete."""

    lab: Lab

    def __post_init__(self) -> None:
        self._writes: dict[str, list[Run | TaskState]] = defaultdict(list)
        self._seen: set[str] = set()

    def read(self) -> None:
        """Read all that is in the stream; what was read before is not counted again. A restart empties the stream."""
        for record in self._records():
            number, image = record["dynamodb"]["SequenceNumber"], record["dynamodb"]["NewImage"]
            if number in self._seen:
                continue
            self._seen.add(number)
            written = history.record_of(image)
            if written is not None:
                self._writes[written.run_id].append(written)

    def _records(self) -> Iterator[dict[str, Any]]:
        client, stream = self.lab.system.client("dynamodbstreams"), self.lab.output("table_stream_arn")
        for shard in client.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]:
            iterator = client.get_shard_iterator(
                StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                page = client.get_records(ShardIterator=iterator, Limit=PAGE)
                yield from page["Records"]
                iterator = page.get("NextShardIterator") if page["Records"] else None

    def check(self, run_id: str, workflow: Workflow) -> list[Violation] | None:
        """Return what was wrong with the writes of a run; None, if some of them were not read."""
        checker = Checker(workflow)
        last: dict[str, Run | TaskState] = {}
        found = []
        for new in self._writes[run_id]:
            key = new.task_id if isinstance(new, TaskState) else ""
            old = last.get(key)
            if new.version != (old.version if old else 0) + 1:
                return None
            found += checker.write(old, new)
            last[key] = new
        complete = checker.run is not None and set(checker.tasks) == set(workflow.tasks)
        return found if complete else None
