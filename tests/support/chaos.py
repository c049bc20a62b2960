"""A deployed system to be broken on purpose: a bench whose tasks are held and failed, and what is done to it.

Import the fixture where it is used: `from tests.support.chaos import lab`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from local import deployment, server
from tests.e2e.conftest import POLL_S, PROGRAM, ROOT, TERMINAL, System
from tests.local.conftest import eventually

SERVICE = Path(__file__).with_name("chaos_service.py")
PROCESSES = Path("/proc")
GRACE_S = LEASE_SLACK_S = 5
"""As short as they may be, so that what is lost is soon found."""

needs_processes = pytest.mark.skipif(not PROCESSES.is_dir(), reason="finds processes by their parents in /proc")


@dataclass(frozen=True)
class Bench:
    """Where the tasks of some runs work: `chaos_service` says what is in the folder."""

    folder: Path

    @property
    def input(self) -> dict[str, str]:
        """What a run that works here is started with."""
        return {"folder": str(self.folder)}

    def hold(self, task: str) -> None:
        (self.folder / f"hold-{task}").touch()

    def let_go(self, task: str) -> None:
        (self.folder / f"hold-{task}").unlink()

    def spoil(self, task: str) -> None:
        (self.folder / f"fail-{task}").touch()

    def mend(self, task: str) -> None:
        (self.folder / f"fail-{task}").unlink()

    def effects(self, what: str) -> Counter[tuple[str, int]]:
        """Return how often each attempt of each task, by its idempotency key, has begun or ended."""
        journal = self.folder / "journal"
        lines = [line.split() for line in journal.read_text().splitlines()] if journal.exists() else []
        return Counter((key, int(attempt)) for kind, key, attempt in lines if kind == what)

    def await_began(self, key: str, attempt: int = 1) -> None:
        eventually(lambda: self.effects("began")[key, attempt], within_s=30)


@dataclass(frozen=True)
class Lab:
    """The deployed system, with a service `probe` that its tests control."""

    system: System

    def bench(self, name: str) -> Bench:
        folder = self.system.project / "benches" / name
        folder.mkdir(parents=True)
        return Bench(folder)

    def output(self, name: str) -> str:
        return str(self.system.deployment.outputs[name])

    @property
    def service(self) -> str:
        """The function of the service `probe`."""
        functions: Mapping[str, str] = self.system.deployment.outputs["task_function_arns"]
        return functions["probe"]

    def start(self, definition: Mapping[str, Any], run_id: str, bench: Bench) -> None:
        self.system.register(definition)
        answer = self.system.ask(action="start", workflow=definition["name"], run_id=run_id, input=bench.input)
        assert answer.get("created") is True, answer

    def sweep(self) -> dict[str, Any]:
        """Let the Sweeper look now, and not only when its minute comes."""
        reply = self.system.client("lambda").invoke(FunctionName=self.output("sweeper_arn"), Payload="{}")
        summary: dict[str, Any] = json.loads(reply["Payload"].read())
        assert "FunctionError" not in reply, summary
        return summary

    def finished(self, run_id: str, within_s: float = 60) -> dict[str, Any]:
        """Return a run once it has ended, with the Sweeper at work meanwhile."""
        deadline = time.monotonic() + within_s
        while True:
            run = self.system.ask(action="describe", run_id=run_id)
            if run["status"] in TERMINAL:
                return run
            assert time.monotonic() < deadline, f"{run_id} has not ended within {within_s} s: {run}"
            self.sweep()
            time.sleep(POLL_S)

    def task(self, run_id: str, task_id: str) -> dict[str, Any]:
        """Return the item of a task as it is stored; empty, if there is none."""
        key = {"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": f"TASK#{task_id}"}}
        found = self.system.client("dynamodb").get_item(TableName=self.output("table_name"), Key=key)
        item: dict[str, Any] = found.get("Item", {})
        return item

    def kill(self, function: str) -> None:
        """Kill every process of a function, as the emulator's children that run it: no signal handler, no farewell."""
        pids = self._processes(function.rsplit(":", 1)[-1])
        assert pids, f"{function} has no process"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def _processes(self, function: str) -> list[int]:
        emulator = server.running(self.system.project / ".orchestra" / "local")
        assert emulator is not None
        found = []
        for process in PROCESSES.iterdir():
            if not process.name.isdigit():
                continue
            try:
                # The parent comes second after the command, which may hold anything but ends the last bracket.
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                variables = (process / "environ").read_bytes().split(b"\0") if parent == emulator.pid else []
            except OSError:
                continue  # it has ended meanwhile, or is somebody else's
            if f"AWS_LAMBDA_FUNCTION_NAME={function}".encode() in variables:
                found.append(int(process.name))
        return found

    def restart(self) -> None:
        """Stop the emulator, with all that runs in it, and start it again with what it held."""
        deployment.restart(project=self.system.project)

    @contextmanager
    def faults(self, seed: int, **functions: Mapping[str, float]) -> Iterator[None]:
        """Disturb functions, by the names of their outputs or "service", as `local/bootstrap/python_faults.py` says."""
        with ExitStack() as stack:
            for name, rates in functions.items():
                function = self.service if name == "service" else self.output(name)
                settings = json.dumps({"seed": seed, **rates})
                stack.enter_context(self.system.variables(function, ORCHESTRA_LOCAL_FAULTS=settings))
            yield


def patiently(request: Callable[[], Any], within_s: float = 60) -> Any:
    """Return the answer to a request that faults or a restart may keep from being answered at once."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return request()
        except (AssertionError, BotoCoreError, ClientError):
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL_S)


@contextmanager
def deployed(project: Path) -> Iterator[Lab]:
    """Deploy the program, with a service and a stack of its own, to an emulator of its own."""
    for name in PROGRAM:
        if name not in {"services", "Pulumi.local.yaml"}:
            (project / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "services", project / "services")
    shutil.copy(SERVICE, project / "services" / "probe" / "handler.py")
    settings = (ROOT / "Pulumi.local.yaml").read_text("utf-8").splitlines()
    kept = [line for line in settings if "graceSeconds" not in line and "leaseSlackSeconds" not in line]
    own = [f"  orchestra:graceSeconds: {GRACE_S}", f"  orchestra:leaseSlackSeconds: {LEASE_SLACK_S}"]
    (project / "Pulumi.local.yaml").write_text("\n".join([*kept, *own, ""]), "utf-8")
    try:
        yield Lab(System(project, deployment.up(project=project)))
    finally:
        deployment.down(project=project)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with deployed(tmp_path_factory.mktemp("lab")) as found:
        yield found


def task(*after: str, add: int = 0, timeout_s: int = 30, **more: object) -> dict[str, Any]:
    """Return a task that adds a number to what comes before it."""
    return {"service": "probe", "after": list(after), "params": {"add": add}, "timeout_s": timeout_s, **more}
