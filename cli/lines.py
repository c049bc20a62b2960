"""A run's changes as plain lines, for where nothing can be drawn again: a pipe, a file, a CI log. Pure."""

from __future__ import annotations

from rich.text import Text

from cli import graph
from cli.look import Look, style
from cli.model import TERMINAL, Run, Task
from cli.text import clean, countdown, duration
from cli.view import said


def changes(before: Run | None, after: Run, look: Look) -> list[Text]:
    """Return a plain line for each task, and for the run, whose state is not what it was."""
    known = {} if before is None else {task.id: (task.status, task.attempts) for task in before.tasks}
    at = after.begun_at or 0
    changed = [
        (_changed_at(task) or at, task)
        for level in graph.levels(after.tasks)
        for task in level
        # PENDING: nothing has happened to it, or a redrive undid what had.
        if task.status != "PENDING" and known.get(task.id) != (task.status, task.attempts)
    ]
    changed.sort(key=lambda change: change[0])
    lines = [_change(task, when - at, look) for when, task in changed]
    if before is None or before.status != after.status:
        seen = at if before is None else max([at, *(when for when, _ in changed)])
        turned = _turned_at(after) or seen
        earlier = 0 if turned == at else sum(when <= turned for when, _ in changed)
        line = _stamped(turned - at, clean(after.run_id), clean(after.status), look)
        lines.insert(len(lines) if after.status in TERMINAL else earlier, line)
    return lines


def _turned_at(run: Run) -> int | None:
    """Return when the run came to the state that it is in, as far as is known: of a cancel only its end is."""
    if run.finished_at is not None or run.error is None:
        return run.finished_at
    return next((task.finished_at for task in run.tasks if task.id == run.error.task), None)


def _changed_at(task: Task) -> int | None:
    """Return when the task came to the state that it is in, as far as is known."""
    match task.status:
        case "READY":
            return task.ready_at
        case "RUNNING":
            return task.started_at
        case _:
            return task.finished_at


def _change(task: Task, offset_ms: int, look: Look) -> Text:
    line = _stamped(offset_ms, clean(task.id), clean(task.status), look)
    waits_ms = task.waits_ms(task.ready_at or 0)
    if waits_ms:
        line.append(f"  in {countdown(waits_ms)}")
    if task.status == "READY" and task.attempts:
        line.append(f"  again, after attempt {task.attempts}")
    elif task.attempts > 1:
        line.append(f"  attempt {task.attempts}")
    took = task.duration_ms(0)
    if took is not None and task.finished_at is not None:
        line.append(f"  {duration(took)}", "dim")
    if task.error is not None:
        line.append(f"  {said(task.error)}")
    return line


def _stamped(offset_ms: int, what: str, status: str, look: Look) -> Text:
    stamp = f"+{duration(offset_ms)}"
    return Text.assemble((f"{stamp:>8}  ", "dim"), (f"{look.symbol(status)} ", style(status)), what, f"  {status}")
