"""Deploying again: what is the same is left alone, and what has changed is all that changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import deployment
from local.plan import Operation
from tests.e2e.conftest import ROOT, System

pytestmark = pytest.mark.e2e


@pytest.fixture
def own_services(system: System) -> Iterator[Path]:
    """The project with its own copy of the services, until the test is over."""
    services = system.project / "services"
    services.unlink()
    shutil.copytree(ROOT / "services", services)
    yield services
    shutil.rmtree(services)
    services.symlink_to(ROOT / "services")
    deployment.up(project=system.project)


def test_a_second_up_changes_nothing(system: System) -> None:
    result = deployment.deploy(project=system.project)

    assert {step.operation for step in result.steps} == {Operation.SAME}
    assert result.outputs == system.deployment.outputs


def test_changed_code_updates_that_one_function(system: System, own_services: Path) -> None:
    source = own_services / "b2" / "handler.py"
    source.write_text(source.read_text("utf-8") + "\n# changed\n", "utf-8")
    (own_services / "a" / "README.md").write_text("what is not packaged changes nothing")

    result = deployment.deploy(project=system.project)

    changed = [(step.operation, step.type, step.name) for step in result.steps if step.operation is not Operation.SAME]
    assert changed == [(Operation.UPDATE, "aws:lambda/function:Function", "task-b2")]
