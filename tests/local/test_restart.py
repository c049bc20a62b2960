"""A stack whose emulator was stopped, or killed, goes on where it was after the next start."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

import pytest

from local import deployment, server
from local.errors import LocalError
from tests.local.conftest import ROLE, Deployed, Sample, eventually
from tests.local.test_deployment import QUEUES, done

pytestmark = pytest.mark.e2e

# A table and a queue whose events end in the queue `seen`, as the ids of what they were about.
SYSTEM = (
    ROLE
    + """
import pulumi_aws as aws

allow = {"Effect": "Allow", "Action": ["sqs:SendMessage", "dynamodb:GetItem"], "Resource": "*"}
iam.RolePolicy("may", role=role.name, policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
table = aws.dynamodb.Table(
    "table",
    hash_key="pk",
    billing_mode="PAY_PER_REQUEST",
    attributes=[{"name": "pk", "type": "S"}],
    stream_enabled=True,
    stream_view_type="NEW_IMAGE",
)
seen = aws.sqs.Queue("seen")
work = aws.sqs.Queue("work")
parked = aws.sqs.Queue("parked")
function = aws.lambda_.Function(
    "function",
    role=role.arn,
    runtime="python3.13",
    handler="handler.handler",
    code=pulumi.FileArchive("code"),
    environment={"variables": {"SEEN": seen.url, "TABLE": table.name}},
)
stream = aws.lambda_.EventSourceMapping(
    "stream", event_source_arn=table.stream_arn, function_name=function.name, starting_position="TRIM_HORIZON"
)
aws.lambda_.EventSourceMapping("work", event_source_arn=work.arn, function_name=function.name)
aws.scheduler.Schedule(
    "schedule",
    schedule_expression="rate(1 minute)",
    flexible_time_window={"mode": "OFF"},
    target={"arn": function.arn, "role_arn": role.arn},
)
outputs = {"table": table.name, "seen": seen.url, "work": work.url, "parked": parked.url, "stream": stream.uuid}
for name, value in outputs.items():
    pulumi.export(name, value)
"""
)
HANDLER = """
import os
import boto3

def handler(event, context):
    table, sqs = boto3.client("dynamodb"), boto3.client("sqs")
    for record in event["Records"]:
        pk = record["body"] if "body" in record else record["dynamodb"]["Keys"]["pk"]["S"]
        if "dynamodb" in record:
            assert table.get_item(TableName=os.environ["TABLE"], Key={"pk": {"S": pk}})["Item"]
        sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=pk)
"""


environment = server._environment


@pytest.fixture(name="up")
def _up(sample: Sample) -> Deployed:
    sample.program(SYSTEM)
    sample.write("code/handler.py", HANDLER)
    return Deployed(sample, deployment.up(project=sample.root))


def put(up: Deployed, pk: str) -> None:
    up.client("dynamodb").put_item(TableName=up.deployment.outputs["table"], Item={"pk": {"S": pk}})


def items(up: Deployed) -> set[str]:
    return {item["pk"]["S"] for item in up.client("dynamodb").scan(TableName=up.deployment.outputs["table"])["Items"]}


def send(up: Deployed, queue: str, body: str) -> None:
    up.client("sqs").send_message(QueueUrl=up.deployment.outputs[queue], MessageBody=body)


def received(up: Deployed, count: int, queue: str = "seen") -> list[str]:
    """Return the bodies of so many messages, once they are there."""
    sqs, url = up.client("sqs"), up.deployment.outputs[queue]
    bodies: list[str] = []

    def look() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(bodies) >= count

    eventually(look)
    return sorted(bodies)


def kill(sample: Sample) -> None:
    found = server.running(sample.state_dir)
    assert found
    os.kill(found.pid, signal.SIGKILL)


def checkpoint(sample: Sample) -> None:
    found = server.running(sample.state_dir)
    assert found
    server.checkpoint(found)


def stop(sample: Sample) -> None:
    assert server.stop(sample.state_dir)


def checkpoint_and_kill(sample: Sample) -> None:
    checkpoint(sample)
    kill(sample)


@pytest.mark.parametrize("end", [stop, checkpoint_and_kill])
def test_everything_goes_on(up: Deployed, end: Callable[[Sample], None]) -> None:
    put(up, "one")
    send(up, "work", "first")
    assert received(up, 2) == ["first", "one"]
    send(up, "parked", "message")
    end(up.sample)
    again = Deployed(up.sample, deployment.restart(project=up.sample.root))
    assert again.deployment == up.deployment
    assert items(again) == {"one"}
    assert received(again, 1, "parked") == ["message"]
    put(again, "two")
    send(again, "work", "second")
    assert received(again, 2) == ["second", "two"]  # and nothing of before comes again
    assert len(again.client("scheduler").list_schedules()["Schedules"]) == 1
    assert done(deployment.deploy(project=up.sample.root)) == {}


def test_what_nobody_had_read_from_the_stream_is_read_after_the_restart(up: Deployed) -> None:
    put(up, "one")
    assert received(up, 1) == ["one"]
    functions, mapping = up.client("lambda"), up.deployment.outputs["stream"]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    put(up, "two")
    put(up, "three")
    deployment.restart(project=up.sample.root)
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    assert received(up, 2) == ["three", "two"]


def test_changes_are_kept_without_being_asked_for(up: Deployed) -> None:
    put(up, "some-item")
    kept = up.sample.state_dir / "kept" / "checkpoint.json"
    eventually(lambda: "some-item" in kept.read_text())
    kill(up.sample)
    assert items(Deployed(up.sample, deployment.restart(project=up.sample.root))) == {"some-item"}


def test_a_checkpoint_that_cannot_be_written_leaves_the_last(up: Deployed) -> None:
    put(up, "one")
    checkpoint(up.sample)
    obstacle = up.sample.state_dir / "kept" / "checkpoint.new"
    obstacle.mkdir()
    put(up, "two")
    with pytest.raises(LocalError, match=r"^the emulator \(process \d+\) cannot write down what it holds"):
        checkpoint(up.sample)
    kill(up.sample)
    assert items(Deployed(up.sample, deployment.restart(project=up.sample.root))) == {"one"}


def test_an_emulator_that_cannot_read_what_was_kept_does_not_start_and_leaves_it(sample: Sample) -> None:
    sample.program(QUEUES)
    deployment.up(project=sample.root)
    stop(sample)
    kept = sample.state_dir / "kept" / "checkpoint.json"
    kept.write_text("{")
    with pytest.raises(LocalError, match=r"^the emulator stopped while it started: .*JSON"):
        deployment.up(project=sample.root)
    assert kept.read_text() == "{"


def test_the_port_has_to_be_the_same(sample: Sample) -> None:
    sample.program(QUEUES)
    before = deployment.up(project=sample.root)
    stop(sample)
    port = int(before.endpoint_url.rpartition(":")[2])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(
            LocalError, match=f"^port {port}, on which all runs in .* are, is in use by another program"
        ):
            deployment.up(project=sample.root)
    with pytest.raises(LocalError, match=f"is on port {port}: `down` it to move it"):
        deployment.up(project=sample.root, port=port + 1)
    assert deployment.up(project=sample.root) == before


def test_a_stack_that_has_stopped_is_not_running_and_can_be_taken_down(sample: Sample) -> None:
    sample.program(QUEUES)
    deployment.up(project=sample.root)
    stop(sample)
    assert deployment.running(project=sample.root) is None
    with pytest.raises(LocalError, match=r"^stack 'local' has stopped: `orchestra local up` starts it again$"):
        deployment.preview(project=sample.root)
    assert deployment.down(project=sample.root) is True
    assert deployment.down(project=sample.root) is False
    with pytest.raises(LocalError, match=r"^there is nothing in stack 'local': `orchestra local up` deploys it$"):
        deployment.restart(project=sample.root)


def test_reset_empties_a_stack_that_has_stopped(sample: Sample) -> None:
    sample.program(QUEUES)
    before = deployment.up(project=sample.root)
    Deployed(sample, before).client("sqs").send_message(QueueUrl=before.outputs["a"], MessageBody="a run")
    stop(sample)
    after = deployment.reset(project=sample.root).deployment
    assert after == before
    assert "Messages" not in Deployed(sample, before).client("sqs").receive_message(QueueUrl=before.outputs["a"])


@pytest.mark.parametrize("written", [True, False])
def test_an_emulator_that_is_killed_during_an_up_leaves_nothing_half_done(sample: Sample, written: bool) -> None:  # noqa: FBT001
    sample.program(SYSTEM)
    sample.write("code/handler.py", HANDLER)
    steps: list[object] = []

    def hear(event: deployment.Event) -> None:
        steps.append(event.step)
        if len(steps) == 8:
            checkpoint_and_kill(sample) if written else kill(sample)

    with pytest.raises(Exception, match=r"."):
        deployment.deploy(on_event=hear, project=sample.root)
    eventually(lambda: server.running(sample.state_dir) is None)
    up = Deployed(sample, deployment.up(project=sample.root))
    assert done(deployment.deploy(project=sample.root)) == {}
    put(up, "one")
    assert received(up, 1) == ["one"]
    assert len(up.client("lambda").list_functions()["Functions"]) == 1


def test_an_emulator_of_before_works_on_and_forgets(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    program = sample.write("plain.py", "from ministack.app import main\nmain()\n")
    monkeypatch.setattr(server, "_PROGRAM", program)
    monkeypatch.setattr(server, "_environment", lambda *given: {**environment(*given), "PERSIST_STATE": "0"})
    sample.program(QUEUES)
    deployment.up(project=sample.root)
    monkeypatch.undo()
    assert done(deployment.deploy(project=sample.root)) == {}
    stop(sample)
    assert done(deployment.deploy(project=sample.root)) == {"a": "create", "b": "create"}


def test_only_the_code_that_is_still_used_is_kept(sample: Sample) -> None:
    sample.program(SYSTEM)
    blobs = sample.state_dir / "kept" / "lambda-blobs"
    found: list[set[str]] = []
    for comment in ("# one", "# two"):
        sample.write("code/handler.py", HANDLER + comment)
        deployment.up(project=sample.root)
        found.append({path.name for path in blobs.iterdir()})
    assert [len(names) for names in found] == [1, 1]
    assert found[0] != found[1]
