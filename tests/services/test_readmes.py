"""The example in each service's README is what the service does."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SERVICES = Path(__file__).parents[2] / "services"
NAMES = ["a", "b1", "b2", "b3", "c", "probe"]
Call = Callable[[str, object], Any]


def test_every_service_has_a_readme() -> None:
    assert sorted(path.parent.name for path in SERVICES.glob("*/README.md")) == NAMES
    folders = (path for path in SERVICES.iterdir() if path.is_dir() and path.name != "__pycache__")
    assert sorted(path.name for path in folders) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_example_event_gives_the_example_output(name: str, call: Call) -> None:
    readme = (SERVICES / name / "README.md").read_text(encoding="utf-8")
    example = re.compile(r"Example event:\n\n```json\n(.+?)```\n\nExample output:\n\n```json\n(.+?)```\n", re.DOTALL)
    [(event, output)] = example.findall(readme)
    assert call(name, json.loads(event)) == {"output": json.loads(output)}
