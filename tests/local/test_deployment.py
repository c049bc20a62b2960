"""Deploying to a real emulator: what is created, kept, changed, replaced and deleted, and what is remembered of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import aws, deployment, server
from local.deployment import Result
from local.errors import LocalError
from tests.local.conftest import ROLE, Deployed, Sample, eventually

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]

QUEUES = """
import pulumi
import pulumi_aws.sqs as sqs

names = pulumi.Config().get("names") or "a,b"
for name in names.split(","):
    pulumi.export(name, sqs.Queue(name, visibility_timeout_seconds=pulumi.Config().get_int("timeout") or 30).url)
"""


def deploy(sample: Sample) -> Result:
    return deployment.deploy(project=sample.root)


def done(result: Result) -> dict[str, str]:
    """Return what was done to each resource that was not left alone."""
    return {step.name: step.operation.value for step in result.steps if step.operation.value != "same"}


def settings(sample: Sample, **config: str) -> None:
    lines = "".join(f"  sample:{name}: {json.dumps(value)}\n" for name, value in config.items())
    sample.write("Pulumi.local.yaml", f"config:\n{lines}")


def queues(result: Result) -> list[str]:
    assert result.deployment
    sqs = Deployed(Sample(Path()), result.deployment).client("sqs")
    return sorted(url.rpartition("/")[2].rpartition("-")[0] for url in sqs.list_queues().get("QueueUrls", []))


def test_the_second_up_changes_nothing_and_one_change_updates_one_resource(sample: Sample) -> None:
    sample.program(QUEUES)
    first = deploy(sample)
    assert done(first) == {"a": "create", "b": "create"}
    assert queues(first) == ["a", "b"]
    second = deploy(sample)
    assert done(second) == {}
    assert second.outputs == first.outputs

    settings(sample, names="b,c")
    third = deploy(sample)
    assert done(third) == {"c": "create", "a": "delete"}
    assert queues(third) == ["b", "c"]

    settings(sample, names="b,c", timeout="60")
    fourth = deploy(sample)
    assert done(fourth) == {"b": "update", "c": "update"}
    assert {step.changed for step in fourth.steps} == {("visibilityTimeoutSeconds",)}


def test_a_preview_says_what_up_would_do_and_writes_nothing(sample: Sample) -> None:
    sample.program(QUEUES)
    assert done(deployment.preview(project=sample.root)) == {"a": "create", "b": "create"}
    assert not (sample.root / ".orchestra").exists()
    deploy(sample)
    settings(sample, names="b,c")
    before = {path: path.stat().st_mtime_ns for path in sample.state_dir.rglob("*")}
    result = deployment.preview(project=sample.root)
    assert done(result) == {"c": "create", "a": "delete"}
    assert result.deployment is None
    assert {path: path.stat().st_mtime_ns for path in sample.state_dir.rglob("*")} == before
    assert queues(deploy(sample)) == ["b", "c"]


FUNCTIONS = (
    ROLE
    + """
import pulumi_aws.lambda_ as lambda_

for name in ("one", "two"):
    code = pulumi.FileArchive(name)
    made = lambda_.Function(name, role=role.arn, runtime="python3.13", handler="handler.handler", code=code)
    pulumi.export(name, made.name)
"""
)


def test_changed_code_of_one_function_updates_that_function_alone(sample: Sample) -> None:
    sample.program(FUNCTIONS)
    for name in ("one", "two"):
        sample.write(f"{name}/handler.py", f"def handler(event, context):\n    return '{name}'\n")
    up = Deployed(sample, deployment.up(project=sample.root))
    assert (up.invoke("one", {})[0], up.invoke("two", {})[0]) == ("one", "two")
    sample.write("one/handler.py", "def handler(event, context):\n    return 'new'\n")
    result = deploy(sample)
    assert done(result) == {"one": "update"}
    assert [step.changed for step in result.steps if step.changed] == [("code",)]
    assert (up.invoke("one", {})[0], up.invoke("two", {})[0]) == ("new", "two")


TABLE = """
import pulumi
import pulumi_aws.dynamodb as dynamodb

key = pulumi.Config().get("key") or "pk"
table = dynamodb.Table(
    "table",
    name=pulumi.Config().get("name"),
    hash_key=key,
    billing_mode="PAY_PER_REQUEST",
    attributes=[{"name": key, "type": "S"}],
    opts=pulumi.ResourceOptions(
        protect=pulumi.Config().get_bool("protect") or False,
        aliases=[pulumi.Alias(name="before")],
    ),
)
pulumi.export("table", table.name)
"""


def tables(result: Result) -> list[str]:
    assert result.deployment
    found: list[str] = Deployed(Sample(Path()), result.deployment).client("dynamodb").list_tables()["TableNames"]
    return found


def test_a_replacement_gets_a_new_name_or_is_deleted_first_if_the_name_is_given(sample: Sample) -> None:
    sample.program(TABLE)
    first = deploy(sample)
    settings(sample, key="id")
    second = deploy(sample)
    assert done(second) == {"table": "replace"}
    assert second.outputs["table"] != first.outputs["table"]
    assert tables(second) == [second.outputs["table"]]
    settings(sample, key="id", name="mine")
    assert tables(deploy(sample)) == ["mine"]
    settings(sample, key="pk", name="mine")
    last = deploy(sample)
    assert done(last) == {"table": "replace"}
    assert tables(last) == ["mine"]


def test_what_is_protected_is_neither_replaced_nor_deleted(sample: Sample) -> None:
    sample.program(TABLE)
    settings(sample, protect="true")
    deploy(sample)
    settings(sample, protect="true", key="id")
    with pytest.raises(LocalError, match=r"^aws:dynamodb:Table 'table'.* is protected and would be replaced"):
        deploy(sample)
    sample.program("")
    with pytest.raises(LocalError, match=r"^aws:dynamodb:Table 'table'.* is protected and would be deleted"):
        deploy(sample)


def test_a_renamed_resource_is_kept_and_the_new_name_remembered(sample: Sample) -> None:
    sample.program(TABLE.replace('"table",', '"before",', 1))
    first = deploy(sample)
    sample.program(TABLE)
    second = deploy(sample)
    assert done(second) == {}
    assert second.outputs == first.outputs
    sample.program(TABLE.replace('aliases=[pulumi.Alias(name="before")],', ""))
    assert done(deploy(sample)) == {}


def test_secrets_are_marked_in_the_result_and_are_not_in_the_state(sample: Sample) -> None:
    sample.program(
        ROLE
        + """
secret = pulumi.Output.secret("hunter2")
statement = secret.apply(lambda text: {"Sid": text, "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
policy = pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [statement]})
iam.RolePolicy("policy", role=role.id, policy=policy)
pulumi.export("password", secret)
pulumi.export("public", role.name)
"""
    )
    result = deploy(sample)
    assert result.secrets == {"password"}
    assert result.deployment
    assert result.deployment.secrets == {"password"}
    s3 = Deployed(sample, result.deployment).client("s3")
    state = json.loads(s3.get_object(Bucket="orchestra-local", Key="local.json")["Body"].read())
    assert "hunter2" not in json.dumps(state["resources"])
    assert done(deploy(sample)) == {}


def test_after_the_emulator_was_killed_up_brings_the_stack_back(sample: Sample) -> None:
    sample.program(QUEUES)
    first = deploy(sample)
    found = server.running(sample.state_dir)
    assert found
    os.kill(found.pid, signal.SIGKILL)
    eventually(lambda: server.running(sample.state_dir) is None)
    assert deployment.running(project=sample.root) is None
    again = deploy(sample)
    assert done(again) == {}
    assert again.outputs == first.outputs  # the same names, and the same port
    assert queues(again) == ["a", "b"]


def test_reset_empties_everything_and_deploys_anew(sample: Sample) -> None:
    sample.program(QUEUES)
    first = deploy(sample)
    sqs = Deployed(sample, deployment.up(project=sample.root)).client("sqs")
    sqs.send_message(QueueUrl=first.outputs["a"], MessageBody="a run")
    result = deployment.reset(project=sample.root)
    assert done(result) == {"a": "create", "b": "create"}
    assert result.outputs == first.outputs
    assert "Messages" not in sqs.receive_message(QueueUrl=first.outputs["a"])


def test_down_leaves_nothing_and_can_be_repeated(sample: Sample) -> None:
    assert deployment.down(project=sample.root) is False
    sample.program(QUEUES)
    deploy(sample)
    assert deployment.down(project=sample.root) is True
    assert [path.name for path in sample.state_dir.iterdir() if path.suffix != ".lock"] == []
    assert deployment.down(project=sample.root) is False


def test_functions_end_with_a_killed_emulator(sample: Sample) -> None:
    sample.program(FUNCTIONS)
    busy = "import os, pathlib, time\ndef handler(event, context):\n    "
    busy += "pathlib.Path(event).write_text(f'{os.getpid()}.')\n    time.sleep(600)\n"
    for name in ("one", "two"):
        sample.write(f"{name}/handler.py", busy)
    up = Deployed(sample, deployment.up(project=sample.root))
    noted = sample.root / "pid"
    up.client("lambda").invoke(
        FunctionName=up.deployment.outputs["one"], InvocationType="Event", Payload=json.dumps(str(noted))
    )
    eventually(lambda: noted.exists() and noted.read_text().endswith("."))
    found = server.running(sample.state_dir)
    assert found
    os.kill(found.pid, signal.SIGKILL)
    eventually(lambda: not _alive(int(noted.read_text()[:-1])))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


INTERRUPTED = """
import os
import signal
import sys
from pathlib import Path
from local import deployment

created = 0

def hear(event):
    global created
    created += event.step is not None
    if created == 3:
        os.kill(os.getpid(), int(sys.argv[2]))

deployment.deploy(on_event=hear, project=Path(sys.argv[1]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_up_is_finished_by_the_next(sample: Sample, how: signal.Signals) -> None:
    sample.program(QUEUES + TABLE + FUNCTIONS)
    for name in ("one", "two"):
        sample.write(f"{name}/handler.py", "def handler(event, context):\n    return 1\n")
    names = "abcdefghijklmnop"
    settings(sample, names=",".join(names))
    cut_short = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, sample.root, str(int(how))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert cut_short.returncode != 0
    assert deployment.running(project=sample.root) is None
    result = deploy(sample)
    assert result.deployment
    expected = {*names, "one", "role", "table", "two"}
    assert {step.name for step in result.steps} == expected
    assert 0 < len(done(result)) < len(expected)
    assert set(done(result).values()) == {"create"}
    assert done(deploy(sample)) == {}


def test_what_was_created_and_not_recorded_is_made_again(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the machine goes down between the two."""
    sample.program(TABLE + FUNCTIONS)
    for name in ("one", "two"):
        sample.write(f"{name}/handler.py", "def handler(event, context):\n    return 1\n")
    deploy(sample)
    from local.state import State, StateStore  # noqa: PLC0415

    real = StateStore.load

    def forgetful(store: StateStore) -> State:
        state = real(store)
        state.resources.clear()
        state.phase = type(state.phase)("deploying")
        return state

    with monkeypatch.context() as patched:
        patched.setattr(StateStore, "load", forgetful)
        assert set(done(deploy(sample)).values()) == {"create"}
    assert done(deploy(sample)) == {}


def test_the_stack_of_another_region_is_there(sample: Sample) -> None:
    sample.program(
        """
import pulumi
import pulumi_aws as aws

west = aws.Provider("west", region="us-west-2")
queue = aws.sqs.Queue("queue", opts=pulumi.ResourceOptions(provider=west))
here = aws.sqs.Queue("here")
pulumi.export("arns", [queue.arn, here.arn, aws.get_caller_identity().account_id])
"""
    )
    settings(sample)
    sample.write("Pulumi.local.yaml", "config:\n  aws:region: eu-west-1\n")
    arns: Any = deploy(sample).outputs["arns"]
    assert [arn.split(":")[3] if ":" in arn else arn for arn in arns] == ["us-west-2", "eu-west-1", "000000000000"]


def test_the_users_own_aws_settings_play_no_part(
    sample: Sample, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of-the-company")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr("local.aws._session", aws._session.__wrapped__)
    sample.program(QUEUES)
    assert done(deploy(sample)) == {"a": "create", "b": "create"}
