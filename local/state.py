"""What has been deployed. It is an object in the emulator's S3, so it cannot outlive what it describes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError

from local.aws import Aws
from local.errors import LocalError
from local.server import Emulator

BUCKET = "orchestra-local"
_REGION = "us-east-1"  # wherever the stack is


@dataclass(frozen=True)
class Record:
    """One deployed resource. `inputs` are canonical; `outputs` are only what the emulator added to them."""

    urn: str
    type: str
    name: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    dependencies: tuple[str, ...]
    parent: str
    protect: bool
    retain: bool
    region: str


class Phase(StrEnum):
    """How far the last deployment came."""

    EMPTY = "empty"
    DEPLOYING = "deploying"  # under way, or cut short
    COMPLETE = "complete"


@dataclass
class State:
    """Every deployed resource by URN, those that were replaced and have yet to be deleted, and the stack's outputs."""

    resources: dict[str, Record] = field(default_factory=dict)
    replaced: list[Record] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    phase: Phase = Phase.EMPTY

    def to_json(self) -> str:
        return json.dumps({
            "resources": [asdict(record) for record in self.resources.values()],
            "replaced": [asdict(record) for record in self.replaced],
            "outputs": self.outputs,
            "phase": self.phase,
        })  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> State:
        data = json.loads(text)
        records = [_record(item) for item in data["resources"]]
        return cls(
            resources={record.urn: record for record in records},
            replaced=[_record(item) for item in data["replaced"]],
            outputs=data["outputs"],
            phase=Phase(data["phase"]),
        )


def _record(item: dict[str, Any]) -> Record:
    return Record(**{**item, "dependencies": tuple(item["dependencies"])})


class StateStore:
    """Reads and writes the state of one stack."""

    def __init__(self, emulator: Emulator, stack: str) -> None:
        self._s3 = Aws(emulator, _REGION).client("s3")
        self._key = f"{stack}.json"
        self._emulator = emulator

    def load(self) -> State:
        with self._answering():
            try:
                answer = self._s3.get_object(Bucket=BUCKET, Key=self._key)
            except (self._s3.exceptions.NoSuchBucket, self._s3.exceptions.NoSuchKey):
                return State()
            return State.from_json(answer["Body"].read().decode())

    def create(self) -> None:
        """Make the place where the state is kept; it may be there already."""
        with self._answering():
            self._s3.create_bucket(Bucket=BUCKET)

    def save(self, text: str) -> None:
        with self._answering():
            self._s3.put_object(Bucket=BUCKET, Key=self._key, Body=text.encode())

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except BotoCoreError as error:
            raise LocalError(
                f"the emulator (process {self._emulator.pid}, port {self._emulator.port}) does not answer: "
                "it may still be starting; if it stays so, stop it with `orchestra local down`"
            ) from error
