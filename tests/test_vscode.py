"""What VS Code is told: each program, module, service, command and target that it would start is there, and starts."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.main import app
from tests.test_readme import check_command

ROOT = Path(__file__).parents[1]
LAUNCH: dict[str, Any] = json.loads((ROOT / ".vscode" / "launch.json").read_text("utf-8"))
TASKS: dict[str, Any] = json.loads((ROOT / ".vscode" / "tasks.json").read_text("utf-8"))
CONFIGURATIONS: list[dict[str, Any]] = LAUNCH["configurations"]
COMMANDS: list[str] = [task["command"] for task in TASKS["tasks"]]
ORCHESTRA = "${workspaceFolder}/.venv/bin/orchestra"
EVENT = {"input": "one two"}


def filled(text: str, file: Path) -> str:
    """Return what VS Code makes of a value: each input has its default, and `file` is the one that is open."""
    inputs = {each["id"]: each["default"] for each in LAUNCH["inputs"]}
    environment = "${workspaceFolder}/.venv/"  # wherever the one is that the tests run in
    text = text.replace(environment, f"{sys.prefix}/").replace("${workspaceFolder}", str(ROOT))
    text = text.replace("${file}", str(file))
    return re.sub(r"\$\{input:(\w+)\}", lambda match: str(inputs[match[1]]), text)


@pytest.mark.parametrize("document", [LAUNCH, TASKS], ids=["launch", "tasks"])
def test_every_input_that_is_asked_for_is_described(document: dict[str, Any]) -> None:
    asked = set(re.findall(r"\$\{input:(\w+)\}", json.dumps(document)))
    variables = set(re.findall(r"\$\{(\w+)\}", json.dumps(document)))

    assert asked == {each["id"] for each in document["inputs"]}
    assert variables <= {"workspaceFolder", "file"}


def test_names_are_told_apart() -> None:
    for names in ([each["name"] for each in CONFIGURATIONS], [task["label"] for task in TASKS["tasks"]]):
        assert len(set(names)) == len(names) > 0


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=[each["name"] for each in CONFIGURATIONS])
def test_every_program_is_there(configuration: dict[str, Any]) -> None:
    paths = [configuration[key] for key in ("program", "python", "runtimeExecutable", "cwd") if key in configuration]
    module = configuration.get("module")

    assert [path for path in paths if not Path(filled(path, ROOT)).exists()] == []
    assert module is None or find_spec(module) is not None
    assert ("program" in configuration) != (module is not None)


def test_every_command_is_one() -> None:
    started = [each["args"] for each in CONFIGURATIONS if each.get("program") == ORCHESTRA]
    tasks = [shlex.split(command)[1:] for command in COMMANDS if command.startswith(".venv/bin/orchestra ")]

    assert (len(started), len(tasks)) == (2, 5)
    for words in (*started, *tasks):
        check_command(get_command(app), [filled(word, ROOT) for word in words])


def test_every_target_of_the_makefile_is_a_task() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)

    made = [command.removeprefix("make ") for command in COMMANDS if command.startswith("make ")]
    assert sorted(made) == sorted({*targets} - {"help"})


def test_every_other_task_runs_a_program_of_this_folder() -> None:
    others = [shlex.split(c) for c in COMMANDS if not c.startswith(("make ", ".venv/bin/orchestra "))]

    assert [words[:2] for words in others] == [[".venv/bin/python", "tools/invoke_all.py"]]
    assert (ROOT / "tools" / "invoke_all.py").is_file()


def test_the_tests_are_chosen_by_markers_that_there_are() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    markers = {line.partition(":")[0] for line in settings["markers"]}

    chosen = [each["args"][1] for each in CONFIGURATIONS if each.get("args", [])[:1] == ["-m"]]
    assert len(chosen) == 1
    assert set(re.findall(r"\w+", chosen[0])) - {"not", "and"} <= markers


@pytest.mark.parametrize(
    "configuration",
    [each for each in CONFIGURATIONS if "/tools/" in each.get("program", "")],
    ids=lambda each: each["name"],
)
def test_a_task_service_is_called(configuration: dict[str, Any], tmp_path: Path) -> None:
    """Those in Python by the debugger itself, to which nobody has to connect; those in Node as it would start them."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps(EVENT))
    if configuration["type"] == "node":
        command = [configuration["runtimeExecutable"], *configuration["runtimeArgs"]]
    else:
        command = [configuration["python"], "-Xfrozen_modules=off", "-m", "debugpy", "--listen", "127.0.0.1:0"]
    words = [*command, configuration["program"], *configuration["args"]]

    done = subprocess.run(
        [filled(word, event) for word in words],
        cwd=filled(configuration["cwd"], event),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    output = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert output["words"] == (2 if "${file}" in configuration["args"] else 12)
