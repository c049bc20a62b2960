"""What goes wrong is one clear line, and leaves nothing running and nothing half-written."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import deployment, server
from local.errors import LocalError, Unsupported
from local.locks import sole_command, try_lock
from tests.local.conftest import ROLE, Deployed, Sample, eventually

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
HEADER = "import pulumi\nimport pulumi_aws as aws\n"


def failure(sample: Sample) -> str:
    with pytest.raises(LocalError) as error:
        deployment.deploy(project=sample.root)
    assert "\n" not in str(error.value)
    return str(error.value)


def is_clean(sample: Sample) -> bool:
    return server.running(sample.state_dir) is None and deployment.running(project=sample.root) is None


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "aws.sqs.Queue('q')\naws.sqs.Queue('q')\n",
            "duplicate resource URN urn:pulumi:local::sample::aws:sqs/queue:Queue::q: give this aws:sqs:Queue 'q' a ",
        ),
        ("pulumi.Config().require('key')\n", "Missing required configuration variable 'sample:key': set it in "),
        ("raise KeyError('x')\n", "__main__.py:3: KeyError: 'x'"),
        ("aws.sqs.Queue('q').arn.apply(lambda arn: 1 / 0)\naws.sqs.Queue('r', name=1/0)\n", "__main__.py:4: ZeroDiv"),
        ("def broken(:\n", "SyntaxError: invalid syntax"),
        ("import sys\nsys.exit(4)\n", "the program ended itself with exit code 4"),
        ("raise pulumi.RunError('settings are\\n wrong')\n", "__main__.py:3: RunError: settings are wrong"),
        ("import nothing_of_this_name\n", "__main__.py:3: ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        (
            "aws.lambda_.Function('f', role='r', runtime='java21', code=pulumi.AssetArchive({}))\n",
            "aws:lambda:Function 'f': runtime java21 does not run locally",
        ),
        (
            "aws.lambda_.Function('f', role='r', runtime='python3.13', code=pulumi.FileArchive('gone'))\n",
            "aws:lambda:Function 'f': cannot read gone: No such file or directory",
        ),
    ],
)
def test_a_program_that_cannot_be_deployed_is_one_line(sample: Sample, program: str, said: str) -> None:
    sample.program(HEADER + program)
    with pytest.raises(LocalError) as error:
        deployment.preview(project=sample.root)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_a_program_that_cannot_be_deployed_leaves_nothing(sample: Sample) -> None:
    sample.program(HEADER + "aws.sqs.Queue('q')\nraise KeyError('x')\n")
    assert failure(sample) == "__main__.py:4: KeyError: 'x'"
    assert is_clean(sample)


def test_an_error_in_an_apply_names_its_line_and_what_stands_is_kept_for_the_next_up(sample: Sample) -> None:
    sample.program(HEADER + "q = aws.sqs.Queue('q')\nq.arn.apply(lambda arn: 1 / 0)\n")
    assert failure(sample) == "__main__.py:4: ZeroDivisionError: division by zero"
    sample.program(HEADER + "pulumi.export('url', aws.sqs.Queue('q').url)\n")
    result = deployment.deploy(project=sample.root)
    assert [step.operation.value for step in result.steps] == ["same"]


def test_everything_that_is_not_supported_is_listed_before_anything_is_created(sample: Sample) -> None:
    sample.program(
        HEADER
        + """
class Network(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("sample:index:Network", name)
        aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(parent=self))
        zones = aws.get_availability_zones(opts=pulumi.InvokeOptions(parent=self))
        self.zone = zones.names[0]

aws.sqs.Queue("fine")
aws.s3.Bucket("files")
aws.sqs.Queue.get("other", "http://127.0.0.1/x")
Network("net")
"""
    )
    with pytest.raises(Unsupported) as error:
        deployment.deploy(project=sample.root)
    listed = str(error.value)
    assert "\n" not in listed
    for wanted in (
        "resource aws:s3:Bucket 'files'",
        "resource aws:ec2:Vpc 'vpc' of Network 'net'",
        "reading of an existing aws:sqs:Queue 'other'",
        "look-up aws.getAvailabilityZones",
    ):
        assert wanted in listed
    assert "fine" not in listed
    assert is_clean(sample)


def test_a_failed_call_names_the_resource_and_what_aws_said(sample: Sample) -> None:
    sample.program(HEADER + ROLE + "aws.iam.RolePolicy('p', role='gone', policy='{\"Statement\": []}')\n")
    said = failure(sample)
    assert said.startswith("aws:iam:RolePolicy 'p': PutRolePolicy: ")


def test_a_busy_port_is_said_and_nothing_is_started(sample: Sample) -> None:
    sample.program("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=rf"^port {port} is in use by another program: choose another one"):
            deployment.deploy(project=sample.root, port=port)
    assert is_clean(sample)


@pytest.fixture
def impostor() -> Iterator[int]:
    """Another server, which answers every request as a healthy emulator would."""

    class Healthy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"edition": "light", "services": {}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield other.server_address[1]
        other.shutdown()


def test_another_server_on_the_port_is_not_taken_for_the_emulator(
    sample: Sample, impostor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it takes the port between our look and the emulator's start."""
    sample.program("")
    monkeypatch.setattr(server, "_is_free", lambda _port: True)
    with pytest.raises(LocalError, match=r"^the emulator stopped while it started: "):
        deployment.deploy(project=sample.root, port=impostor)
    assert is_clean(sample)


def test_a_process_that_has_the_pid_of_a_dead_emulator_is_left_alone(sample: Sample) -> None:
    sample.program("")
    deployment.up(project=sample.root)
    found = server.running(sample.state_dir)
    assert found
    server.stop(sample.state_dir)
    innocent = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        (sample.state_dir / "emulator.pid").write_text(str(innocent.pid))
        assert server.running(sample.state_dir) is None
        assert deployment.down(project=sample.root) is True  # what it had held
        assert innocent.poll() is None
    finally:
        innocent.communicate()


def test_a_second_up_at_the_same_time_is_refused(sample: Sample) -> None:
    sample.program("")
    with sole_command(sample.state_dir, "local"):
        assert failure(sample).startswith("another command is changing stack 'local'")


def test_of_two_processes_one_deploys_and_the_other_is_told(sample: Sample) -> None:
    wait = "import time\nfrom pathlib import Path\nwhile not Path('go').exists():\n    time.sleep(0.01)\n"
    sample.program(HEADER + wait + "aws.sqs.Queue('q')\n")
    code = f"from pathlib import Path; from local import deployment; deployment.up(project=Path({str(sample.root)!r}))"
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    eventually(lambda: any(process.poll() is not None for process in both), within_s=60)
    sample.write("go", "")
    said = [process.communicate(timeout=60)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], said
    assert sum("another command is changing stack 'local'" in text for text in said) == 1
    assert deployment.preview(project=sample.root).changes == 0


def test_an_emulator_that_dies_during_up_is_one_line(sample: Sample) -> None:
    sample.program(HEADER + "for name in 'abcdefghijkl':\n    aws.sqs.Queue(name)\n")

    def kill(event: deployment.Event) -> None:
        found = server.running(sample.state_dir)
        if event.step and found:
            os.kill(found.pid, signal.SIGKILL)

    with pytest.raises(LocalError) as error:
        deployment.deploy(on_event=kill, project=sample.root)
    assert "\n" not in str(error.value)
    eventually(lambda: is_clean(sample))
    assert deployment.deploy(project=sample.root).changes == 12


def test_an_emulator_that_does_not_answer_is_said(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    sample.program("")
    deployment.up(project=sample.root)
    found = server.running(sample.state_dir)
    assert found
    record = sample.state_dir / "emulator.json"
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    record.write_text(json.dumps({**json.loads(record.read_text()), "port": free}))
    with pytest.raises(LocalError, match=rf"^the emulator \(process {found.pid}, port {free}\) does not answer: "):
        deployment.running(project=sample.root)


def test_an_emulator_cannot_be_started_twice_in_a_folder(tmp_path: Path) -> None:
    lock = try_lock(tmp_path / "emulator.lock")
    assert lock
    try:
        with pytest.raises(LocalError, match=r"^an emulator is already running in "):
            server.start(tmp_path, "us-east-1")
    finally:
        os.close(lock)


def test_permissions_are_enforced(sample: Sample) -> None:
    sample.program(
        ROLE
        + """
import pulumi_aws.dynamodb as dynamodb
import pulumi_aws.lambda_ as lambda_

keys = {"hash_key": "pk", "billing_mode": "PAY_PER_REQUEST", "attributes": [{"name": "pk", "type": "S"}]}
mine, other = dynamodb.Table("mine", **keys), dynamodb.Table("other", **keys)
allow = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": mine.arn}
policy = iam.RolePolicy("p", role=role.id, policy=pulumi.Output.json_dumps({"Statement": [allow]}))
function = lambda_.Function(
    "f", role=role.arn, runtime="python3.13", handler="handler.handler", code=pulumi.FileArchive("code")
)
pulumi.export("f", function.name)
pulumi.export("mine", mine.name)
pulumi.export("other", other.name)
"""
    )
    sample.write(
        "code/handler.py",
        "import boto3\n"
        "def handler(event, context):\n"
        "    return boto3.client('dynamodb').get_item(TableName=event, Key={'pk': {'S': 'x'}}).get('Item')\n",
    )
    up = Deployed(sample, deployment.up(project=sample.root))
    outputs = up.deployment.outputs
    assert up.invoke("f", outputs["mine"])[0] is None
    error = up.fail("f", outputs["other"])
    assert error["errorType"] == "ClientError"
    assert "dynamodb:GetItem" in error["errorMessage"]
