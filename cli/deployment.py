"""Which deployment a command talks to: an Orchestrator named outright, the local stack, or a Pulumi stack."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.errors import BadInput, CliError, NoDeployment
from orchestration.payload import Json

DEFAULT_STACK = "local"
_STACK = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_.][A-Za-z0-9_.-]{0,99}){0,2}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ARN = re.compile(r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):\d{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9$_-]{1,128})?")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")
_PULUMI_TIMEOUT_S = 60


@dataclass(frozen=True)
class Choice:
    """What the user said about the deployment."""

    stack: str | None = None
    orchestrator_arn: str | None = None
    region: str | None = None

    @property
    def flags(self) -> str:
        """The options that name the same deployment in a command to try next."""
        flags = [
            f" --orchestrator-arn {self.orchestrator_arn}" if self.orchestrator_arn else "",
            f" --region {self.region}" if self.region else "",
            f" --stack {self.stack}" if self.stack else "",
        ]
        return "".join(flags)


@dataclass(frozen=True)
class Target:
    """An Orchestrator, and how to reach it. Without an endpoint and credentials, boto3 finds the user's own."""

    orchestrator_arn: str
    region: str | None
    endpoint_url: str | None = None
    credentials: tuple[str, str] | None = None

    @property
    def local(self) -> bool:
        return self.credentials is not None

    @property
    def function_name(self) -> str:
        parts = self.orchestrator_arn.split(":")
        return parts[6] if len(parts) > 6 else self.orchestrator_arn


def find(choice: Choice, env: Mapping[str, str] = os.environ) -> Target:
    """Return the chosen deployment. Raises BadInput or NoDeployment with one line."""
    if choice.orchestrator_arn is not None:
        if choice.stack is not None:
            raise BadInput("--stack and --orchestrator-arn both name a deployment; give one of them")
        return _named(choice.orchestrator_arn, choice.region)
    if choice.region is not None:
        raise BadInput("--region goes with --orchestrator-arn; a stack knows its region")
    stack = choice.stack or env.get("ORCHESTRA_STACK") or DEFAULT_STACK
    if not _STACK.fullmatch(stack):
        raise BadInput(f"--stack: {stack[:80]!a} is not the name of a stack")
    target = _local(stack)
    if target is not None:
        return target
    if stack == DEFAULT_STACK:
        raise NoDeployment(
            "the local stack is not up; start it with: orchestra local up (or choose a deployment with --stack or "
            "--orchestrator-arn)"
        )
    return _from_outputs(stack, _pulumi_outputs(stack, env), "pulumi up")


def _named(arn: str, region: str | None) -> Target:
    if region is not None and not _REGION.fullmatch(region):
        raise BadInput(f"--region: {region[:40]!a} is not a region, e.g. eu-central-1")
    if _NAME.fullmatch(arn):  # Lambda takes the bare name of a function as well
        return Target(arn, region)
    match = _ARN.fullmatch(arn)
    if match is None:
        raise BadInput(
            f"--orchestrator-arn: {arn[:120]!a} is not a function's ARN, arn:aws:lambda:REGION:ACCOUNT:function:NAME"
        )
    if region is not None and region != match[1]:
        raise BadInput(f"--region {region} is not the region of --orchestrator-arn, {match[1]}")
    return Target(arn, match[1])


def _local(stack: str) -> Target | None:
    if "/" in stack:  # a name that only Pulumi's service has
        return None
    from local import deployment  # noqa: PLC0415 - only commands that need a deployment pay for it

    running = deployment.running(stack)
    if running is None:
        return None
    found = _from_outputs(stack, running.outputs, "orchestra local up")
    return Target(
        found.orchestrator_arn,
        running.region,
        endpoint_url=running.endpoint_url,
        credentials=(running.access_key, running.secret_key),
    )


def _from_outputs(stack: str, outputs: Mapping[str, Json], deploy: str) -> Target:
    arn = outputs.get("orchestrator_arn")
    if not isinstance(arn, str) or not arn:
        raise NoDeployment(f"stack {stack!r} has no output orchestrator_arn; deploy it first: {deploy} --stack {stack}")
    region = outputs.get("region")
    match = _ARN.fullmatch(arn)
    if match is None:
        raise NoDeployment(f"stack {stack!r}: its output orchestrator_arn, {arn[:120]!a}, is not a function's ARN")
    return Target(arn, region if isinstance(region, str) and region else match[1])


def _pulumi_outputs(stack: str, env: Mapping[str, str]) -> dict[str, Json]:
    program = shutil.which("pulumi", path=env.get("PATH"))
    if program is None:
        raise NoDeployment(
            f"stack {stack!r} is not up locally, and there is no pulumi on PATH to ask for it; install Pulumi, or give "
            "--orchestrator-arn"
        )
    command = [program, "stack", "output", "--json", f"--stack={stack}", "--non-interactive", f"--cwd={_project()}"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the name of the stack was checked
            command,
            env={**env, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_PULUMI_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise NoDeployment(f"pulumi did not answer within {_PULUMI_TIMEOUT_S} s; try: pulumi stack output") from None
    except OSError as exc:
        raise NoDeployment(f"pulumi cannot be run: {exc.strerror or exc}") from None
    if done.returncode != 0:
        raise _pulumi_error(stack, done.stderr.decode(errors="replace"))
    return _parsed_outputs(stack, done.stdout)


def _parsed_outputs(stack: str, stdout: bytes) -> dict[str, Json]:
    try:
        outputs = json.loads(stdout or b"{}")
    except ValueError:
        outputs = None
    if not isinstance(outputs, dict):
        raise NoDeployment("pulumi stack output --json did not print a JSON object; update Pulumi")
    if not outputs:
        raise NoDeployment(f"stack {stack!r} has no outputs; deploy it first: pulumi up --stack {stack}")
    return outputs


def _pulumi_error(stack: str, stderr: str) -> CliError:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith("error:")), lines[0] if lines else "no reason given")
    said = said.removeprefix("error:").strip()
    if "no stack named" in stderr:
        return NoDeployment(f"there is no stack {stack!r}; pulumi stack ls names those that are")
    return NoDeployment(f"pulumi could not read stack {stack!r}: {said}")


def _project() -> Path:
    """Return the folder of Orchestra's Pulumi project: the one beside this package, else where the user is."""
    beside = Path(__file__).resolve().parent.parent
    return beside if (beside / "Pulumi.yaml").is_file() else Path.cwd()
