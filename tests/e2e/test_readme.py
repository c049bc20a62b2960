"""Every command of the README's "Run your own" does what its comment says."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.e2e.conftest import ROOT, System

pytestmark = pytest.mark.e2e


def commands() -> list[str]:
    section = (ROOT / "README.md").read_text("utf-8").split("## Run your own")[1]
    block = re.search(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert block
    return [line.split("#")[0].strip() for line in block[1].splitlines()]


def test_run_your_own(system: System) -> None:
    examples = system.project / "examples"
    if not examples.exists():
        examples.symlink_to(ROOT / "examples")
    lines = commands()
    assert len(lines) == 10

    for line in lines:
        newest = system.ask(action="list", limit=1)["runs"]
        words = shlex.split(line.replace("[TASK]", ""))
        words = [newest[0]["run_id"] if word == "RUN" else word for word in words]
        assert words[0] == "orchestra"
        done = system.orchestra(*words[1:])
        # Beside the document that it prints, `asl` says what the machine gives up.
        told = "" if words[1] == "asl" else done.stderr
        assert (done.returncode, told) == (0, ""), (line, done.stdout, done.stderr)
        assert done.stdout, line
