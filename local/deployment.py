"""Deploys to this machine and says what is deployed: what the command line and the tests use of the local target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from local import server
from local.errors import LocalError
from local.locks import sole_command
from local.paths import Project, find_project
from local.plan import UNKNOWN
from local.results import Deployment, Event, OnEvent, Result, deployment_of, ignore
from local.state import Phase, StateStore

if TYPE_CHECKING:
    from local.operation import Operation

__all__ = ["UNKNOWN", "Deployment", "Event", "Result", "deploy", "down", "preview", "reset", "restart", "running", "up"]


def running(stack: str = "local", project: Path | None = None) -> Deployment | None:
    """Return the stack that is up, or None; a stack whose first `up` has not finished is not up."""
    where = find_project(stack, project)
    emulator = server.running(where.state_dir)
    if emulator is None:
        return None
    state = StateStore(emulator, where.stack).load()
    return deployment_of(where, emulator, state) if state.outputs or state.phase is Phase.COMPLETE else None


def up(
    stack: str = "local", on_event: OnEvent = ignore, *, project: Path | None = None, port: int | None = None
) -> Deployment:
    """Deploy the program and return how to reach what stands. Raises LocalError."""
    deployment = deploy(stack, on_event, project=project, port=port).deployment
    assert deployment is not None
    return deployment


def deploy(
    stack: str = "local", on_event: OnEvent = ignore, *, project: Path | None = None, port: int | None = None
) -> Result:
    """Bring the stack to what the program says; start the emulator if it does not run."""
    where = find_project(stack, project)
    with sole_command(where.state_dir, stack):
        return _operation(where, on_event).deploy(port)


def preview(stack: str = "local", on_event: OnEvent = ignore, *, project: Path | None = None) -> Result:
    """Return what `deploy` would do. Writes nothing, and starts nothing."""
    return _operation(find_project(stack, project), on_event).preview()


def restart(stack: str = "local", *, project: Path | None = None) -> Deployment:
    """Stop the emulator, if it runs, and start it again with what it held. Raises LocalError if that is nothing."""
    where = find_project(stack, project)
    with sole_command(where.state_dir, stack):
        server.stop(where.state_dir)
        stopped = server.kept(where.state_dir)
        if stopped is None:
            raise LocalError(f"there is nothing in stack {stack!r}: `orchestra local up` deploys it")
        emulator = server.start(where.state_dir, stopped.region)
        server.await_ready(where.state_dir, emulator)
        return deployment_of(where, emulator, StateStore(emulator, stack).load())


def down(stack: str = "local", *, project: Path | None = None) -> bool:
    """Stop the emulator and remove all that it held; return whether it was running."""
    where = find_project(stack, project)
    if not where.state_dir.exists():
        return False
    with sole_command(where.state_dir, stack):
        return server.remove(where.state_dir)


def reset(stack: str = "local", on_event: OnEvent = ignore, *, project: Path | None = None) -> Result:
    """Empty the stack, its runs included, and deploy it anew. A program that cannot be deployed leaves all as it is."""
    where = find_project(stack, project)
    with sole_command(where.state_dir, stack):
        return _operation(where, on_event).reset()


def _operation(where: Project, on_event: OnEvent) -> Operation:
    # Pulumi's SDK takes half a second to import, and most commands only ask what is running.
    from local.operation import Operation  # noqa: PLC0415

    return Operation(where, on_event)
