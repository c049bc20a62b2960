"""Start a run, follow it, and answer with it; whatever interrupts says how to pick the run up again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.text import Text

from cli.client import Client, Response
from cli.errors import EXIT_FAILED, EXIT_OK, Interrupted, RemoteError
from cli.follow import follow, screen
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

    def start(self, workflow: str, run_input: Json, run_id: str) -> Response:
        """Return the description of the run, new or (with the same id and input) already there."""
        see = f"orchestra status {run_id}{self.flags}"
        try:
            answer = self.client.start(workflow, run_input, run_id)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; run {run_id} may have started, see: {see}") from None
        except RemoteError as exc:
            if not exc.passing:
                raise
            raise RemoteError(f"{exc}; run {run_id} may have started, see: {see}") from None
        if not answer["created"]:
            note("note: ", "yellow", f"run {run_id} is there already; nothing new was started")
        described: Response = answer["run"]
        return described

    def follow(self, described: Response) -> Response:
        """Show the run until it has ended, and return its last description."""
        run_id = str(described["run_id"])
        with self._resumable(run_id), screen(self.terminal, self.clock) as observe:
            return follow(lambda: self.client.describe(run_id), described, observe, self.clock)

    def output_of(self, described: Response) -> Json:
        """Return the run's output, or None where it has none: it did not succeed, or has not yet."""
        if described["status"] != "SUCCEEDED":
            return None
        run_id = str(described["run_id"])
        with self._resumable(run_id):
            return self.client.output(run_id)["output"]

    @contextmanager
    def _resumable(self, run_id: str) -> Iterator[None]:
        again = f"orchestra status {run_id} --follow{self.flags}"
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; run {run_id} goes on, pick it up again with: {again}") from None
        except RemoteError as exc:
            raise RemoteError(f"{exc}; run {run_id} goes on, pick it up again with: {again}") from None


def document(described: Response, output: Json) -> Json:
    """Return what `run --json` prints."""
    return {key: output if key == "output" else described.get(key) for key in _DOCUMENT}


def show_output(session: Session, run_id: str, output: Json) -> None:
    session.terminal.say()
    session.terminal.say(Text("Output", "bold"))
    session.terminal.say_json(output, whole=False, rest=f"orchestra output {run_id}{session.flags}")


def exit_code(status: object) -> int:
    return EXIT_FAILED if status in _ENDED_BADLY else EXIT_OK
