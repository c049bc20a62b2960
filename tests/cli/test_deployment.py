"""Which deployment is talked to. Pulumi is a script on PATH, the local stack a module's answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli.deployment import Choice, Target, find
from cli.errors import BadInput, CliError, NoDeployment
from cli.ports import connect
from local import deployment as local_deployment
from local.deployment import Deployment

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:orchestrator"
LOCAL_ARN = "arn:aws:lambda:us-east-1:000000000000:function:orchestrator"
NOT_AN_ARN = "is not a function's ARN, arn:aws:lambda:REGION:ACCOUNT:function:NAME"
HOME = Path(__file__).resolve().parents[2]


@dataclass
class Machine:
    """A machine without a local stack and without Pulumi, until a test gives it one."""

    folder: Path
    up: dict[str, Deployment] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": str(self.folder)}

    def running(self, stack: str) -> Deployment | None:
        self.asked.append(stack)
        return self.up.get(stack)

    def pulumi(self, *, stdout: str = "", stderr: str = "", code: int = 0) -> None:
        script = self.folder / "pulumi"
        (self.folder / "out").write_text(stdout and stdout + "\n")
        (self.folder / "err").write_text(stderr and stderr + "\n")
        script.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" > {self.folder}/args\n'
            f'while read -r line; do echo "$line"; done < {self.folder}/out\n'
            f'while read -r line; do echo "$line" >&2; done < {self.folder}/err\nexit {code}\n'
        )
        script.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    here = Machine(tmp_path)
    monkeypatch.setattr(local_deployment, "running", here.running)
    return here


def local_stack(stack: str = "local", **outputs: Any) -> Deployment:
    return Deployment(
        stack=stack,
        endpoint_url="http://127.0.0.1:4566",
        region="us-east-1",
        outputs={"orchestrator_arn": LOCAL_ARN, **outputs},
        access_key="key",
        secret_key="secret",
    )


LOCAL_TARGET = Target(LOCAL_ARN, "us-east-1", "http://127.0.0.1:4566", ("key", "secret"))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(orchestrator_arn=ARN), Target(ARN, "eu-central-1")),
        (Choice(orchestrator_arn=ARN + ":live", region="eu-central-1"), Target(ARN + ":live", "eu-central-1")),
        (Choice(orchestrator_arn="orchestrator-1"), Target("orchestrator-1", None)),
        (Choice(orchestrator_arn="orchestrator-1", region="us-gov-west-1"), Target("orchestrator-1", "us-gov-west-1")),
    ],
)
def test_an_arn_needs_neither_pulumi_nor_a_local_stack(choice: Choice, expected: Target, machine: Machine) -> None:
    assert find(choice, {**machine.env, "ORCHESTRA_STACK": "dev"}) == expected
    assert machine.asked == []


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            Choice(stack="dev", orchestrator_arn=ARN),
            "--stack and --orchestrator-arn both name a deployment; give one of them",
        ),
        (Choice(region="eu-central-1"), "--region goes with --orchestrator-arn; a stack knows its region"),
        (
            Choice(orchestrator_arn=ARN, region="us-east-1"),
            "--region us-east-1 is not the region of --orchestrator-arn, eu-central-1",
        ),
        (Choice(orchestrator_arn=ARN, region="../x"), "--region: '../x' is not a region, e.g. eu-central-1"),
        (
            Choice(orchestrator_arn="arn:aws:s3:::bucket"),
            f"--orchestrator-arn: 'arn:aws:s3:::bucket' {NOT_AN_ARN}",
        ),
        (
            Choice(orchestrator_arn="http://169.254.169.254/"),
            f"--orchestrator-arn: 'http://169.254.169.254/' {NOT_AN_ARN}",
        ),
        (Choice(stack="--help"), "--stack: '--help' is not the name of a stack"),
        (Choice(stack="a b\x1b"), "--stack: 'a b\\x1b' is not the name of a stack"),
        (Choice(stack="a/b/c/d"), "--stack: 'a/b/c/d' is not the name of a stack"),
    ],
)
def test_what_cannot_be_meant_is_refused(choice: Choice, message: str, machine: Machine) -> None:
    with pytest.raises(BadInput) as refused:
        find(choice, machine.env)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("choice", "env", "stack"),
    [
        (Choice(), {}, "local"),
        (Choice(), {"ORCHESTRA_STACK": ""}, "local"),
        (Choice(), {"ORCHESTRA_STACK": "mine"}, "mine"),
        (Choice(stack="other"), {"ORCHESTRA_STACK": "mine"}, "other"),
    ],
)
def test_a_stack_that_is_up_locally_is_taken(choice: Choice, env: dict[str, str], stack: str, machine: Machine) -> None:
    machine.up[stack] = local_stack(stack)
    assert find(choice, {**machine.env, **env}) == LOCAL_TARGET
    assert machine.asked == [stack]


def test_a_pulumi_stack_is_asked_for_its_outputs(machine: Machine) -> None:
    machine.pulumi(stdout=json.dumps({"orchestrator_arn": ARN, "region": "eu-central-1"}))
    assert find(Choice(stack="org/orchestra/dev"), machine.env) == Target(ARN, "eu-central-1")
    assert machine.asked == []  # no local stack has such a name
    assert (machine.folder / "args").read_text().splitlines() == [
        "stack",
        "output",
        "--json",
        "--stack=org/orchestra/dev",
        "--non-interactive",
        f"--cwd={HOME}",
    ]


def test_the_region_of_a_stack_can_be_read_off_its_function(machine: Machine) -> None:
    machine.pulumi(stdout=json.dumps({"orchestrator_arn": ARN}))
    assert find(Choice(stack="dev"), machine.env) == Target(ARN, "eu-central-1")
    assert machine.asked == ["dev"]


def refusal(choice: Choice, machine: Machine) -> CliError:
    with pytest.raises(NoDeployment) as refused:
        find(choice, machine.env)
    return refused.value


def test_a_local_stack_that_is_not_up_says_how_to_start_it(machine: Machine) -> None:
    machine.pulumi(stdout="{}")  # the local target has no other place to be
    assert str(refusal(Choice(), machine)) == (
        "the local stack is not up; start it with: orchestra local up (or choose a deployment with --stack or "
        "--orchestrator-arn)"
    )
    assert not (machine.folder / "args").exists()


def test_a_local_stack_without_an_orchestrator_says_so(machine: Machine) -> None:
    machine.up["local"] = local_stack(orchestrator_arn=None)
    assert str(refusal(Choice(), machine)) == (
        "stack 'local' has no output orchestrator_arn; deploy it first: orchestra local up --stack local"
    )


def test_without_pulumi_on_path(machine: Machine) -> None:
    assert str(refusal(Choice(stack="dev"), machine)) == (
        "stack 'dev' is not up locally, and there is no pulumi on PATH to ask for it; install Pulumi, or give "
        "--orchestrator-arn"
    )


@pytest.mark.parametrize(
    ("stdout", "stderr", "code", "message"),
    [
        ("{}", "", 0, "stack 'dev' has no outputs; deploy it first: pulumi up --stack dev"),
        ("", "", 0, "stack 'dev' has no outputs; deploy it first: pulumi up --stack dev"),
        ("[1]", "", 0, "pulumi stack output --json did not print a JSON object; update Pulumi"),
        ("oops", "", 0, "pulumi stack output --json did not print a JSON object; update Pulumi"),
        ('{"x": 1}', "", 0, "stack 'dev' has no output orchestrator_arn; deploy it first: pulumi up --stack dev"),
        (
            '{"orchestrator_arn": "[secret]"}',
            "",
            0,
            "stack 'dev': its output orchestrator_arn, '[secret]', is not a function's ARN",
        ),
        ("", "error: no stack named 'dev' found", 255, "there is no stack 'dev'; pulumi stack ls names those that are"),
        (
            "",
            "warning: old\nerror: PULUMI_ACCESS_TOKEN must be set\n",
            255,
            "pulumi could not read stack 'dev': PULUMI_ACCESS_TOKEN must be set",
        ),
        ("", "", 3, "pulumi could not read stack 'dev': no reason given"),
    ],
)
def test_what_pulumi_lacks_is_one_line(stdout: str, stderr: str, code: int, message: str, machine: Machine) -> None:
    machine.pulumi(stdout=stdout, stderr=stderr, code=code)
    assert str(refusal(Choice(stack="dev"), machine)) == message


def test_a_pulumi_that_cannot_be_run(machine: Machine) -> None:
    (machine.folder / "pulumi").write_bytes(b"\x7fELF broken")
    (machine.folder / "pulumi").chmod(0o755)
    assert str(refusal(Choice(stack="dev"), machine)) == "pulumi cannot be run: Exec format error"


@pytest.mark.parametrize(
    ("choice", "flags"),
    [
        (Choice(), ""),
        (Choice(stack="dev"), " --stack dev"),
        (Choice(orchestrator_arn="x", region="eu-west-1"), " --orchestrator-arn x --region eu-west-1"),
    ],
)
def test_the_next_command_names_the_same_deployment(choice: Choice, flags: str) -> None:
    assert choice.flags == flags


@pytest.mark.parametrize("credentials", [None, ("test", "test")])
def test_a_client_knows_whether_it_talks_to_this_machine(
    credentials: tuple[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.deployment.find", lambda _choice: Target(ARN, "eu-central-1", credentials=credentials))
    monkeypatch.setattr("cli.aws.sender", lambda _target: lambda _request: None)
    assert connect(Choice()).local is (credentials is not None)
