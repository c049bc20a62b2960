"""Start a run, follow it, and answer with it; whatever interrupts says how to pick the run up again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.text import Text

from cli.client import Client, Response
from cli.errors import EXIT_FAILED, EXIT_OK, Interrupted, Refused, RemoteError, Unwatched
from cli.follow import Observe, follow, screen
from cli.options import STEPFUNCTIONS
from cli.ports import Clock
from cli.terminal import Terminal, note
from orchestration.payload import Json

_DOCUMENT = ("run_id", "workflow", "engine", "status", "output", "error", "started_at", "finished_at", "tasks")
_ENDED_BADLY = frozenset({"FAILED", "CANCELED"})


@dataclass(frozen=True)
class Session:
    """A deployment to talk to, the terminal to show it on, and the options that name the same deployment again."""

    client: Client
    terminal: Terminal
    clock: Clock
    flags: str
    engine: str | None = None  # the one that was asked for; None leaves it to the Orchestrator

    def start(self, workflow: str, run_input: Json, run_id: str) -> Response:
        """Return the description of the run, new or (with the same id and input) already there."""
        with self._uncertain(run_id, "may have started"):
            answer = self.client.start(workflow, run_input, run_id, self.engine)
        if not answer["created"]:
            note("note: ", "yellow", f"run {run_id} is there already; nothing new was started")
        described: Response = answer["run"]
        return described

    def cancel(self, run_id: str) -> Response:
        """Ask for the run to end, and return its description."""
        with self._uncertain(run_id, "may have been canceled"):
            self.client.cancel(run_id, self.engine)
            return self.describe(run_id)

    def redrive(self, run_id: str, from_task: str | None) -> Response:
        """Let an ended run go on, and return its description."""
        epoch = self.describe(run_id).get("epoch")  # None: the Orchestrator is an older one
        with self._uncertain(run_id, "may have been redriven"), _named("from_task", "--from"):
            answer = self.client.redrive(run_id, from_task, epoch, self.engine)
            if not answer.get("changed", True):
                note("note: ", "yellow", f"run {run_id} was redriven already")
            return self.describe(run_id)

    def describe(self, run_id: str) -> Response:
        return self.client.describe(run_id, self.engine)

    def follow(self, described: Response) -> Response:
        """Show the run until it has ended, and return its last description."""
        with self._resumable(described), screen(self.terminal, self.clock) as observe:
            return self._followed(described, observe)

    def wait(self, described: Response) -> Response:
        """Return the run's last description once it has ended, and show nothing of it."""
        with self._resumable(described):
            return self._followed(described, lambda _run: None)

    def _followed(self, described: Response, observe: Observe) -> Response:
        run_id, engine = str(described["run_id"]), self._engine_of(described)
        try:
            return follow(lambda: self.client.describe(run_id, engine), described, observe, self.clock)
        except Refused as exc:  # it did start: of an Express execution nobody keeps a record
            raise Unwatched(f"run {run_id} goes on, and cannot be watched: {exc}") from None

    def output_of(self, described: Response) -> Json:
        """Return the run's output, or None where it has none: it did not succeed, or has not yet."""
        if described["status"] != "SUCCEEDED":
            return None
        with self._resumable(described):
            return self.client.output(str(described["run_id"]), engine=self._engine_of(described))["output"]

    def _engine_of(self, described: Response) -> str | None:
        """Return where to ask about a run: the table is looked at first in any case."""
        return STEPFUNCTIONS if described.get("engine") == STEPFUNCTIONS else self.engine

    @contextmanager
    def _uncertain(self, run_id: str, outcome: str) -> Iterator[None]:
        """Say what a request may have done whose answer was not seen."""
        told = f"run {run_id} {outcome}, see: orchestra status {run_id}{self.flags}"
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; {told}") from None
        except RemoteError as exc:
            if not exc.passing:
                raise
            raise RemoteError(f"{exc}; {told}") from None

    @contextmanager
    def _resumable(self, described: Response) -> Iterator[None]:
        """Say how to pick a run up again that is no longer watched."""
        run_id = described["run_id"]
        now = "is being canceled" if described["status"] == "CANCELING" else "goes on"
        told = f"run {run_id} {now}, pick it up again with: orchestra status {run_id} --follow{self.flags}"
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; {told}") from None
        except RemoteError as exc:
            raise RemoteError(f"{exc}; {told}") from None


@contextmanager
def _named(field: str, option: str) -> Iterator[None]:
    """Let a refusal name what the user has typed, and not the field of the request."""
    try:
        yield
    except Refused as exc:
        message = str(exc)
        if not message.startswith(f"{field}:"):
            raise
        raise Refused(exc.code, option + message.removeprefix(field)) from None


def document(described: Response, output: Json) -> Json:
    """Return what `run --json` prints."""
    return {key: output if key == "output" else described.get(key) for key in _DOCUMENT}


def show_output(session: Session, run_id: str, output: Json) -> None:
    session.terminal.say()
    session.terminal.say(Text("Output", "bold"))
    session.terminal.say_json(output, whole=False, rest=f"orchestra output {run_id}{session.flags}")


def exit_code(status: object) -> int:
    return EXIT_FAILED if status in _ENDED_BADLY else EXIT_OK
