"""tools/invoke_all.py against the deployed system, by the name of a stack and by ARN."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, System

pytestmark = pytest.mark.e2e


def invoke_all(*arguments: str, cwd: Path, environment: Mapping[str, str] | None = None) -> Any:
    command = [sys.executable, str(ROOT / "tools" / "invoke_all.py"), *arguments, "--json"]
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_both_engines_by_the_name_of_a_stack_and_by_arn(system: System, tmp_path: Path) -> None:
    outputs = system.deployment.outputs
    text = str(ROOT / "examples" / "frog-pond.txt")

    by_stack = invoke_all("abc", "--input", f"@{text}", "--stack", "local", cwd=system.project)
    by_arn = invoke_all(
        *["abc", "--input", f"@{text}"],
        *["--orchestrator-arn", outputs["orchestrator_arn"], "--region", outputs["region"]],
        cwd=tmp_path,
        environment={
            "AWS_ENDPOINT_URL": system.deployment.endpoint_url,
            "AWS_ACCESS_KEY_ID": system.deployment.access_key,
            "AWS_SECRET_ACCESS_KEY": system.deployment.secret_key,
        },
    )

    for found in (by_stack, by_arn):
        assert (found["workflow"], found["equal"], found["difference"]) == ("abc", True, None)
        assert [run["engine"] for run in found["runs"]] == ["dynamodb", "stepfunctions"]
        assert [run["status"] for run in found["runs"]] == ["SUCCEEDED"] * 2
    assert by_stack["runs"][0]["output"] == by_arn["runs"][1]["output"]
