"""A whole system of its own for tests: the unmodified program, deployed to an emulator on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from local import deployment
from local.deployment import Deployment

ROOT = Path(__file__).parents[2]
PROGRAM = ["Pulumi.yaml", "Pulumi.local.yaml", "__main__.py", "components", "orchestration", "services"]
TERMINAL = {"SUCCEEDED", "FAILED", "CANCELED"}
POLL_S = 0.1


@dataclass(frozen=True)
class System:
    """The deployed system, as its users have it: the command line, and the Orchestrator's requests."""

    project: Path
    deployment: Deployment

    def orchestra(
        self, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line in the project's folder."""
        command = [str(Path(sys.executable).with_name("orchestra")), *arguments]
        return subprocess.run(
            command,
            cwd=self.project,
            env={**os.environ, **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.deployment.endpoint_url,
            region_name=self.deployment.region,
            aws_access_key_id=self.deployment.access_key,
            aws_secret_access_key=self.deployment.secret_key,
        )

    def ask(self, **request: object) -> dict[str, Any]:
        """Return the Orchestrator's answer to a request."""
        reply = self.client("lambda").invoke(
            FunctionName=self.deployment.outputs["orchestrator_arn"], Payload=json.dumps(request)
        )
        answer: dict[str, Any] = json.loads(reply["Payload"].read())
        assert "FunctionError" not in reply, answer
        return answer

    def register(self, definition: Mapping[str, Any]) -> None:
        answer = self.ask(action="register", definition=definition)
        assert "error" not in answer, answer

    def finished(self, run_id: str, within_s: float = 90) -> dict[str, Any]:
        """Return a run once it has ended, and nothing that is stored of it breaks a rule."""
        deadline = time.monotonic() + within_s
        while True:
            run = self.ask(action="describe", run_id=run_id)
            if run["status"] in TERMINAL:
                assert self.ask(action="verify", run_id=run_id)["violations"] == []
                return run
            assert time.monotonic() < deadline, f"{run_id} has not ended within {within_s} s: {run}"
            time.sleep(POLL_S)  # between two looks; nothing is taken to be done because time has passed

    def run(self, definition: Mapping[str, Any], run_id: str, run_input: object = None) -> dict[str, Any]:
        """Register a definition, run it, and return the run once it has ended."""
        self.register(definition)
        answer = self.ask(action="start", workflow=definition["name"], run_id=run_id, input=run_input)
        assert answer.get("created") is True, answer
        return self.finished(run_id)

    @contextmanager
    def variables(self, function: str, **values: str) -> Iterator[None]:
        """Give a function variables besides its own, for as long as the context lasts."""
        client = self.client("lambda")
        before = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        # The local runtime lets a function see those that it has been told to.
        seen = ",".join([before["ORCHESTRA_LOCAL_VARIABLES"], *values])
        after = {**before, **values, "ORCHESTRA_LOCAL_VARIABLES": seen}
        client.update_function_configuration(FunctionName=function, Environment={"Variables": after})
        try:
            yield
        finally:
            client.update_function_configuration(FunctionName=function, Environment={"Variables": before})


@contextmanager
def deployed(folder: Path) -> Iterator[System]:
    """Deploy the program, as it is here, from a folder of its own; take all down at the end."""
    for name in PROGRAM:
        (folder / name).symlink_to(ROOT / name)
    try:
        yield System(folder, deployment.up(project=folder))
    finally:
        deployment.down(project=folder)
