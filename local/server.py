"""Starts and stops the emulator (ministack): on loopback only, with nothing of this machine's environment.

The emulator inherits a lock (`emulator.lock`), which the kernel frees when the process ends. So a held lock says that
the recorded process is alive and ours, and a free one that it is gone, whatever runs under its pid or port by now.
While it starts, its answers carry a mark made for this start, so that another server on its port is not taken for it.

What it holds is kept in its folder, and is there again after the next start: all of it if it was stopped, and all but
about the last second if it was killed. See `bootstrap/emulator.py`.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from local.errors import LocalError
from local.locks import is_locked, try_lock
from local.paths import EMULATOR_PYTHON

# The account's root user, to the emulator; it checks permissions, and not signatures.
ACCESS_KEY = SECRET_KEY = "test"  # noqa: S105 - no secret at all
ACCOUNT = "000000000000"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
_CHECKPOINT_TIMEOUT_S = 60.0
# SQS takes five batches at once by default; one function may thus fan out to tens of others.
MAXIMUM_CONCURRENCY = 200
_PROGRAM = Path(__file__).parent / "bootstrap" / "emulator.py"


@dataclass(frozen=True)
class Emulator:
    """A started emulator. Its health check answers with the `mark`."""

    pid: int
    port: int
    region: str
    mark: str

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def running(folder: Path) -> Emulator | None:
    """Return the emulator that lives in `folder`, or None if it is not running."""
    if not is_locked(folder / "emulator.lock"):
        return None
    try:
        record = json.loads((folder / "emulator.json").read_text())
        return Emulator(pid=int((folder / "emulator.pid").read_text()), **record)
    except (OSError, ValueError, TypeError):
        return None  # it has been started this very moment


def kept(folder: Path) -> Emulator | None:
    """Return the emulator that was stopped in `folder`, or None if it held nothing, or is running."""
    if running(folder) is not None or not (folder / "kept" / "checkpoint.json").exists():
        return None
    try:
        return Emulator(pid=0, **json.loads((folder / "emulator.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def start(folder: Path, region: str, port: int | None = None) -> Emulator:
    """Start an emulator in `folder`, with what the last one there held; use `await_ready` before the first request.

    Without a `port`, the one of the last start is used if it is still free, so that clients keep their settings. What
    was kept can only be on the port of the last start: it names its queues by it.
    """
    if not EMULATOR_PYTHON.exists():
        raise LocalError("the emulator is not installed: run `make setup`")
    stopped = kept(folder)
    if stopped is not None and not _is_free(stopped.port):
        raise LocalError(
            f"port {stopped.port}, on which all runs in {folder} are, is in use by another program: stop that program,"
            " or give up the runs with `orchestra local down`"
        )
    if port is not None and not _is_free(port):
        raise LocalError(f"port {port} is in use by another program: choose another one, or leave out --port")
    lock = try_lock(folder / "emulator.lock")
    if lock is None:
        raise LocalError(f"an emulator is already running in {folder}")
    try:
        chosen = port or _last_port(folder) or _free_port()
        return _spawn(folder, Emulator(0, chosen, region, secrets.token_hex(16)), lock)
    finally:
        os.close(lock)  # the emulator holds it now


def _spawn(folder: Path, plan: Emulator, lock: int) -> Emulator:
    for name in ("tmp", "home"):
        shutil.rmtree(folder / name, ignore_errors=True)  # what the last emulator left behind
        (folder / name).mkdir(parents=True)
    pid_file = folder / "emulator.pid"
    pid_file.unlink(missing_ok=True)
    # The pid is not known yet; the process writes it into a file of its own.
    record = {name: value for name, value in asdict(plan).items() if name != "pid"}
    (folder / "emulator.json").write_text(json.dumps(record))
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            # The process records itself, so that no emulator runs unrecorded, whenever this command is killed.
            ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', pid_file, EMULATOR_PYTHON, "-I", _PROGRAM],
            env=_environment(folder, plan),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C is for the command, not for the emulator
        )
    return replace(plan, pid=process.pid)


def _environment(folder: Path, plan: Emulator) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "GATEWAY_PORT": str(plan.port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": plan.region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AUTH": "true",  # IAM policies decide, as they do on AWS
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_ENDPOINT_URL": plan.endpoint_url,  # without it, functions would call the real AWS
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder / 'no-docker'}",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(MAXIMUM_CONCURRENCY),
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "kept"),
        "MINISTACK_EDITION": plan.mark,
    }


def await_ready(folder: Path, emulator: Emulator) -> None:
    """Return once the emulator answers."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not answers(emulator):
        if not is_locked(folder / "emulator.lock"):
            raise LocalError(f"the emulator stopped while it started: {_last_log_line(folder)}")
        if time.monotonic() > deadline:
            raise LocalError(f"the emulator did not start within {START_TIMEOUT_S:g} s: see {folder / 'emulator.log'}")
        time.sleep(0.02)


def checkpoint(emulator: Emulator) -> None:
    """Let the emulator write down what it holds; whatever becomes of it now, this is there after the next start.

    An emulator that an older version of this program has started cannot do that, and refuses it in another way.
    """
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=_CHECKPOINT_TIMEOUT_S)
    try:
        connection.request("POST", "/_orchestra/checkpoint")
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise LocalError(f"the emulator (process {emulator.pid}) does not answer: {error}") from error
    finally:
        connection.close()
    if answer.status == http.HTTPStatus.INTERNAL_SERVER_ERROR:
        raise LocalError(f"the emulator (process {emulator.pid}) cannot write down what it holds: see its emulator.log")


def answers(emulator: Emulator) -> bool:
    """Say whether it is this emulator that answers, within two seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        health = json.loads(connection.getresponse().read())
        return isinstance(health, dict) and health.get("edition") == emulator.mark
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _last_log_line(folder: Path) -> str:
    try:
        lines = (folder / "emulator.log").read_text(errors="replace").split("\n")
    except OSError:
        lines = []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def stop(folder: Path) -> bool:
    """Stop the emulator that lives in `folder`, and its functions; return whether there was one."""
    emulator = running(folder)
    if emulator is None:
        return False
    for how, patience_s in ((signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, STOP_TIMEOUT_S)):
        with suppress(ProcessLookupError):  # it may be writing its last checkpoint all the same
            os.kill(emulator.pid, how)
        if _gone_within(folder, patience_s):
            return True
    raise LocalError(f"the emulator (process {emulator.pid}) did not stop")


def remove(folder: Path) -> bool:
    """Stop the emulator and delete all that it held; return whether it was running, or held something."""
    found = kept(folder) is not None
    stopped = stop(folder)
    for item in folder.iterdir():
        if item.is_dir():
            shutil.rmtree(item, ignore_errors=True)
        elif item.suffix != ".lock":  # others may be waiting on these very files
            item.unlink()
    return stopped or found


def _gone_within(folder: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_locked(folder / "emulator.lock"):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _last_port(folder: Path) -> int | None:
    try:
        port = int(json.loads((folder / "emulator.json").read_text())["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return port if _is_free(port) else None


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
