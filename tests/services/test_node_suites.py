"""Runs the tests that each Node service has in its own folder."""

import re
import subprocess
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"
NODE_SERVICES = ["a", "b1", "c"]


def test_every_node_service_is_listed() -> None:
    assert sorted(path.parent.name for path in SERVICES.glob("*/package.json")) == NODE_SERVICES


@pytest.mark.parametrize("name", NODE_SERVICES)
def test_the_service_s_own_tests_pass(name: str, node: Path) -> None:
    command = [str(node), "--test", "--test-reporter=tap"]
    done = subprocess.run(command, cwd=SERVICES / name, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # Node exits with 0 when it finds no test at all.
    counts = dict(re.findall(r"^# (tests|pass|fail|cancelled|skipped|todo) (\d+)$", done.stdout, re.MULTILINE))
    tests = counts.pop("tests")
    assert int(tests) > 0
    assert counts == {"pass": tests, "fail": "0", "cancelled": "0", "skipped": "0", "todo": "0"}
