"""The pages on how to add a task and a workflow, followed line by line in copies of the project."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import deployment
from tests.e2e.conftest import ROOT
from tests.support.walkthrough import Walkthrough

pytestmark = pytest.mark.e2e

TASK = (ROOT / "docs" / "adding-a-task.md").read_text("utf-8")
WORKFLOW = (ROOT / "docs" / "adding-a-workflow.md").read_text("utf-8")
RUNS = re.compile(r"orchestra run ")


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[[str], Walkthrough]]:
    def followed(page: str) -> Walkthrough:
        walk = Walkthrough(tmp_path)
        walk.prepare()
        walk.follow(page)
        return walk

    try:
        yield followed
    finally:
        deployment.down(project=tmp_path)


def test_a_task_is_one_folder_and_one_name_in_each_runtime(follow: Callable[[str], Walkthrough]) -> None:
    walk = follow(TASK)

    folders = {path.name for path in (walk.folder / "services").iterdir()}
    ours = {path.name for path in (ROOT / "services").iterdir() if path.name != "__pycache__"}
    assert folders - ours - {"__pycache__"} == {"shout", "tally", "pack"}
    changed = set((walk.folder / "__main__.py").read_text("utf-8").splitlines())
    assert len(changed - set((ROOT / "__main__.py").read_text("utf-8").splitlines())) == 1
    runs = [line for line in walk.typed if RUNS.match(line)]
    assert [line.endswith("--engine stepfunctions") for line in runs] == [False, True] * 3
    assert len(walk.outputs) == 6


def test_a_workflow_is_registered_changed_and_declared(follow: Callable[[str], Walkthrough]) -> None:
    walk = follow(WORKFLOW)

    runs = [line for line in walk.typed if RUNS.match(line)]
    assert [line.endswith("--engine stepfunctions") for line in runs] == [False, True] * 3
    (one, other) = walk.outputs[-2:]
    assert one == other
    assert sorted(one) == ["Style", "Words"]
