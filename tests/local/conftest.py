"""Small projects of their own for the tests of the local target."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import boto3
import pytest

from local import deployment
from local.deployment import Deployment
from tests.emulator import emulator

__all__ = ["emulator"]

FUNCTIONS = Path(__file__).parent / "functions"
"""A program that deploys a function of each runtime, which do what their event says."""

PROJECT = """
name: sample
runtime: python
"""
ROLE = """
import json
import pulumi
import pulumi_aws.iam as iam

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
role = iam.Role("role", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [TRUST]}))
"""


@dataclass(frozen=True)
class Sample:
    """A project in a folder of its own."""

    root: Path

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def program(self, text: str) -> None:
        self.write("__main__.py", text)

    @property
    def state_dir(self) -> Path:
        return self.root / ".orchestra" / "local"


@dataclass(frozen=True)
class Deployed:
    """A sample that is up."""

    sample: Sample
    deployment: Deployment

    def client(self, service: str) -> Any:
        return client_of(self.deployment, service)

    def invoke(self, function: str, event: object) -> tuple[Any, str]:
        """Return what the function returned and what it logged; `function` is the output with its name."""
        reply = self.client("lambda").invoke(
            FunctionName=self.deployment.outputs[function], Payload=json.dumps(event), LogType="Tail"
        )
        payload = json.loads(reply["Payload"].read())
        assert "FunctionError" not in reply, payload
        return payload, base64.b64decode(reply.get("LogResult", "")).decode()

    def fail(self, function: str, event: object) -> dict[str, Any]:
        """Return the error that the function ended with."""
        reply = self.client("lambda").invoke(FunctionName=self.deployment.outputs[function], Payload=json.dumps(event))
        payload: dict[str, Any] = json.loads(reply["Payload"].read())
        assert reply.get("FunctionError") == "Unhandled", payload
        return payload


def client_of(found: Deployment, service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=found.endpoint_url,
        region_name=found.region,
        aws_access_key_id=found.access_key,
        aws_secret_access_key=found.secret_key,
    )


def eventually(look: Callable[[], Any], within_s: float = 15) -> Any:
    """Return what `look` returns once that is true; fail if it never is."""
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s; last seen: {seen!r}"
        time.sleep(0.02)  # between two looks; nothing is taken to be done because time has passed
    return seen


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Sample]:
    """An empty project; whatever a test deploys from it is taken down."""
    made = Sample(tmp_path / "project")
    made.write("Pulumi.yaml", PROJECT)
    yield made
    deployment.down(project=made.root)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The functions of `functions/`, deployed."""
    root = tmp_path_factory.mktemp("functions") / "project"
    shutil.copytree(FUNCTIONS, root)
    sample = Sample(root)
    sample.write("Pulumi.yaml", PROJECT)
    (root / "program.py").rename(root / "__main__.py")
    try:
        yield Deployed(sample, deployment.up(project=root))
    finally:
        deployment.down(project=root)
