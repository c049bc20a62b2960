"""Whether a stack is up, whole, answering, and what the program says now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cli.client import Client
from cli.deployment import DEFAULT_STACK, Choice
from cli.errors import CliError
from cli.health import Check, broken, fine, left_out
from cli.text import counted
from local import deployment, server
from local.deployment import Deployment
from local.errors import LocalError
from local.paths import find_project
from local.plan import Operation

Connect = Callable[[Choice], Client]


def checks(stack: str, connect: Connect, *, for_aws: bool) -> Iterator[Check]:
    """Look at the stack on this machine; if there is none of that name, and AWS may be asked, at the one there."""
    check, found = _local(stack)
    yield check
    if found is not None:
        yield _orchestrator(stack, connect)
        yield _program(stack, found)
    elif for_aws and stack != DEFAULT_STACK:
        yield _orchestrator(stack, connect)


def _local(stack: str) -> tuple[Check, Deployment | None]:
    up = _up(stack)
    if "/" in stack:  # a name that only Pulumi's service has
        return left_out("stack", f"{stack} is not on this machine"), None
    try:
        folder = find_project(stack).state_dir
        emulator = server.running(folder)
        if emulator is not None and not server.answers(emulator):
            # What it held is there again after the next start, but for about its last second.
            mend = f"kill -9 {emulator.pid} && {up}"
            return broken("stack", f"the emulator (process {emulator.pid}) of {stack} does not answer", mend), None
        found = deployment.running(stack)
        kept = server.kept(folder)
    except LocalError as exc:
        return broken("stack", str(exc), up), None
    if found is not None:
        return fine("stack", f"{stack} is up at {found.endpoint_url}"), found
    state = "has stopped, its runs are kept" if kept else "is not up on this machine"
    return left_out("stack", f"{stack} {state}", up), None


def _orchestrator(stack: str, connect: Connect) -> Check:
    try:
        found = connect(Choice(stack)).workflows()["workflows"]
    except CliError as exc:
        what, _, mend = str(exc).partition("; ")
        return broken("Orchestrator", what, mend or _up(stack))
    return fine("Orchestrator", f"answers, and has {counted(len(found), 'workflow')}")


def _program(stack: str, found: Deployment) -> Check:
    """Compare what stands with the program and the code as they are here: the versions of everything."""
    up = _up(stack)
    if not found.complete:
        return broken("program", "the last up did not finish", up)
    try:
        result = deployment.preview(stack)
    except LocalError as exc:
        return broken("program", str(exc), "see: orchestra local preview")
    changed = [step.name for step in result.steps if step.operation is not Operation.SAME]
    if not changed:
        return fine("program", f"is what stands, with {counted(len(result.steps), 'resource')}")
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return broken("program", f"is not what stands: {changed[0]}{more} would change", up)


def _up(stack: str) -> str:
    return "orchestra local up" + ("" if stack == DEFAULT_STACK else f" --stack {stack}")
