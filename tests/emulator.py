"""A running AWS emulator for tests that need the real interface: streams, conditions, queues, IAM.

Import the fixture where it is used, in a test module or a conftest: `from tests.emulator import emulator`.
Tests that use it carry `@pytest.mark.e2e`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from local import server
from local.server import ACCESS_KEY, ACCOUNT, SECRET_KEY


@dataclass(frozen=True)
class RunningEmulator:
    """An emulator of one AWS account. Requests are made as its root user; functions run as their roles."""

    endpoint_url: str
    region: str
    access_key: str
    secret_key: str
    account: str = ACCOUNT

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )


@contextmanager
def running_emulator(folder: Path, region: str = "us-east-1") -> Iterator[RunningEmulator]:
    """Start an emulator on a free port with its files in `folder`, and stop it at the end."""
    started = server.start(folder, region)
    try:
        server.await_ready(folder, started)
        yield RunningEmulator(started.endpoint_url, region, ACCESS_KEY, SECRET_KEY)
    finally:
        server.stop(folder)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running
