"""`orchestra doctor` on a machine with a stack that is up, and with one whose emulator is stuck."""

from __future__ import annotations

import json
import os
import signal

import pytest

from local import server
from tests.e2e.conftest import System

pytestmark = pytest.mark.e2e


def states(system: System) -> tuple[int, dict[str, str]]:
    done = system.orchestra("doctor", "--json")
    assert done.stderr == ""
    return done.returncode, {check["name"]: check["state"] for check in json.loads(done.stdout)["checks"]}


def test_a_stack_that_is_up_is_fine(system: System) -> None:
    code, found = states(system)

    needed = ("Python", "packages", "uv", "Node", "emulator", "functions", "stack", "Orchestrator", "program")
    assert (code, [found[name] for name in needed]) == (0, ["fine"] * len(needed))


def test_an_emulator_that_is_stuck_is_found(system: System) -> None:
    emulator = server.running(system.project / ".orchestra" / "local")
    assert emulator is not None
    os.kill(emulator.pid, signal.SIGSTOP)
    try:
        code, found = states(system)
    finally:
        os.kill(emulator.pid, signal.SIGCONT)

    assert (code, found["stack"], "Orchestrator" in found) == (1, "broken", False)
    assert states(system)[0] == 0
