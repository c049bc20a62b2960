"""The program as a process: its start, its streams and its locale."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
# What starts an Orchestrator of one answer in place of AWS, and then the command as its entry point does.
PROGRAM = """
import json, sys
from typer.main import get_command
from cli.client import Client
from cli.main import app
from cli.ports import Ports
answer = json.loads(sys.argv.pop(1))
if isinstance(answer, int):
    answer = {"workflows": [{"name": "w"}] * answer}
get_command(app).main(prog_name="orchestra", obj=Ports(connect=lambda choice: Client(lambda request: answer)))
"""


def orchestra(
    *arguments: str, answer: object = None, stdout: int = subprocess.PIPE, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(answer), *arguments],
        cwd=HOME,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})},
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "latin-1"}]
)
def test_a_stream_that_lacks_characters_gets_escapes(locale: dict[str, str]) -> None:
    answer = {"workflows": [{"name": "日本é", "tasks": 1, "source": "declared", "version": "v"}]}
    shown = orchestra("workflows", answer=answer, env=locale)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert b"\\u65e5\\u672c" in shown.stdout
    document = orchestra("workflows", "--json", answer=answer, env=locale)
    assert (document.returncode, document.stderr) == (0, b"")
    assert document.stdout.isascii()
    assert json.loads(document.stdout) == answer


def test_a_reader_that_went_away_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        for arguments in (("workflows", "--json"), ("--help",)):
            shown = orchestra(*arguments, answer=10_000, stdout=writer)
            assert (shown.returncode, shown.stderr) == (1, b"")
    finally:
        os.close(writer)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [("workflows",), ("workflows", "--json")])
def test_a_full_disk_is_one_line(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        shown = orchestra(*arguments, answer=10, stdout=full.fileno())
    assert (shown.returncode, shown.stderr) == (1, b"error: No space left on device\n")


INTERRUPTED = """
import os, signal
from typer.main import get_command
from cli.client import Client
from cli.main import app
from cli.ports import Ports
def send(request):
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
get_command(app).main(prog_name="orchestra", obj=Ports(connect=lambda choice: Client(send)))
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "w", "--run-id", "r"), "interrupted; run r may have started, see: orchestra status r"),
        (("cancel", "r"), "interrupted; run r may have been canceled, see: orchestra status r"),
        (("redrive", "r"), "interrupted"),  # it has only looked at the run
        (("verify", "--all"), "interrupted; 0 runs checked so far, no violations"),
        (("dlq", "redrive", "--all"), "interrupted"),
    ],
)
def test_a_signal_while_a_request_is_under_way(arguments: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *arguments], cwd=HOME, capture_output=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr.decode()) == (130, b"", f"error: {said}\n")


def test_help_starts_fast_for_it_imports_no_engine() -> None:
    code = (
        "import atexit, sys\n"
        "from cli.main import main\n"
        "heavy = ('boto3', 'botocore', 'pulumi', 'grpc', 'yaml', 'local.deployment', 'local.engine')\n"
        "atexit.register(lambda: print('IMPORTED', [name for name in heavy if name in sys.modules]))\n"
        "sys.argv = ['orchestra', '--help']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HOME, capture_output=True, check=True, timeout=30)
    lines = done.stdout.decode().splitlines()
    assert lines[-1] == "IMPORTED []"
    assert any("local" in line for line in lines)


def test_the_entry_point_answers_with_the_exit_code() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from cli.main import main; main()", "status", "a/b"],
        cwd=HOME,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"error: RUN: 'a/b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -\n"
