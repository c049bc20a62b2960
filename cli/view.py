"""A run as lines of text for a terminal of any size. Pure: a run, the time and a size go in, rich Text comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from cli import graph
from cli.graph import FoldRow, TaskRow
from cli.grid import GAP, Column, cut, grid
from cli.look import Look, style
from cli.model import TERMINAL, Failure, Run, Task
from cli.text import clean, countdown, counted, duration, moment

_LIVE = (
    Column("task", keep=0, most=40),
    Column("service", keep=5, most=16),
    Column("state", keep=2),
    Column("attempts", keep=3),
    Column("time", keep=1, right=True),
)
_FULL = (
    Column("TASK", keep=0),
    Column("SERVICE", keep=4, most=24),
    Column("STATE", keep=1),
    Column("ATTEMPTS", keep=3, right=True),
    Column("STARTED", keep=5, right=True),
    Column("TIME", keep=2, right=True),
    Column("AFTER", keep=6, most=60),
)
_SHORTEST_BAR, _LONGEST_BAR = 8, 40
_MOST_NOTES = 3
_MOST_NAMES = 4
_VERBS = {"FAILED": "failed", "CANCELED": "was canceled after", "READY": "is tried again"}


@dataclass(frozen=True)
class Frame:
    """What the view depends on beside the run. A width of None: not a terminal, nothing is cut."""

    now_ms: int
    look: Look
    width: int | None = None
    height: int = 24
    tick: int = 0


def overview(run: Run, frame: Frame) -> Text:
    """Return the run's graph and state in at most the frame's height: what is shown while it runs."""
    heading = title(run).append(f"  {clean(run.engine)}" if run.engine else "", "dim")
    above = [cut(heading, frame.width, frame.look), Text()]
    below = [Text(), cut(summary(run, frame), frame.width, frame.look)]
    if run.status not in TERMINAL:  # of a run that has ended they are printed in full, below
        notes = [*awaited(run), *problems(run, frame.look)]
        below += [cut(line, frame.width, frame.look) for line in notes[:_MOST_NOTES]]
    budget = frame.height - len(above) - len(below) - 1  # the cursor stands on a line of its own
    lines = [*above, *_tree(run, frame, max(1, budget)), *below]
    return Text("\n").join(lines)


def details(run: Run, frame: Frame) -> Text:
    """Return every task of the run with its state, attempts and times, and the errors in full."""
    flat = graph.rows(graph.levels(run.tasks), len(run.tasks))
    table = [_full_cells(row, run, frame) for row in flat if isinstance(row, TaskRow)]
    lines, _ = grid(_FULL, table, width=frame.width, look=frame.look, titles=True)
    facts = [
        ("engine", run.engine or "-"),
        ("version", run.version[:12] or "-"),
        ("started", moment(run.begun_at)),
        ("finished", moment(run.finished_at)),
    ]
    if run.deadline_at is not None:
        facts.append(("deadline", _deadline(run.deadline_at, run, frame)))
    if run.epoch > 1:
        facts.append(("redriven", "once" if run.epoch == 2 else f"{run.epoch - 1} times"))
    return Text("\n").join(
        [
            cut(title(run), frame.width, frame.look),
            *(cut(Text(f"{name:<9} {clean(fact)}", "dim"), frame.width, frame.look) for name, fact in facts),
            Text(),
            *lines,
            Text(),
            summary(run, frame),
            *awaited(run),
            *problems(run, frame.look),
        ]
    )


def title(run: Run) -> Text:
    return Text.assemble((clean(run.workflow), "bold"), "  ", (clean(run.run_id), "cyan"))


def summary(run: Run, frame: Frame) -> Text:
    """Return one line: `● RUNNING  3 of 5 tasks  1.9s`."""
    done = sum(task.status == "SUCCEEDED" for task in run.tasks)
    status = clean(run.status)
    symbol = frame.look.symbol(status, frame.tick)
    return Text.assemble(
        (f"{symbol} {status}", style(status) or "bold"),
        f"  {done} of {counted(len(run.tasks), 'task')}",
        ("  " + duration(run.duration_ms(frame.now_ms)), "dim"),
    )


def awaited(run: Run) -> list[Text]:
    """Return a line about what a failing or canceling run waits for: the tasks that run are not interrupted."""
    if run.status not in {"FAILING", "CANCELING"}:
        return []
    names = [clean(task.id) for task in run.tasks if task.status == "RUNNING"]
    if not names:
        return []
    rest = len(names) - _MOST_NAMES
    shown = ", ".join(names[:_MOST_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")
    return [Text(f"  still running: {shown}", "dim")]


def problems(run: Run, look: Look) -> list[Text]:
    """Return one line for each error: the run's, then those of its tasks (a task that is tried again has one, too)."""
    found: dict[tuple[str, str], str] = {}
    if run.error is not None:
        found[run.error.task or "the run", said(run.error)] = "FAILED"
    for task in run.tasks:
        if task.error is not None:
            found.setdefault((task.id, said(task.error)), task.status)
    return [_problem(where, what, status, look) for (where, what), status in found.items()]


def _problem(where: str, what: str, status: str, look: Look) -> Text:
    shown = status if status in _VERBS else "READY"
    return Text.assemble((f"{look.symbol(shown)} {clean(where)} {_VERBS[shown]}: ", style(shown)), what)


def said(error: Failure) -> str:
    return ": ".join(part for part in (clean(error.name), clean(error.message)) if part)


def _tree(run: Run, frame: Frame, budget: int) -> list[Text]:
    rows = graph.rows(graph.levels(run.tasks), budget)
    cells = [_live_cells(row, frame) for row in rows]
    lines, taken = grid(_LIVE, cells, width=frame.width, look=frame.look, titles=False)
    room = min(_LONGEST_BAR, (frame.width or 0) - taken - GAP)
    if room < _SHORTEST_BAR:
        return lines
    for row, line in zip(rows, lines, strict=True):
        bar = _bar(row.task, run, frame, room) if isinstance(row, TaskRow) else Text()
        if bar.plain:
            line.append(" " * (taken + GAP - line.cell_len)).append_text(bar)
    return lines


def _live_cells(row: graph.Row, frame: Frame) -> Sequence[Text] | Text:
    if isinstance(row, FoldRow):
        parts = [Text(f"{count} {clean(status).lower()}", style(status)) for status, count in row.counts]
        if len(parts) == 1:
            status, count = row.counts[0]
            return Text.assemble((frame.look.fold, "dim"), f"{count} more ", (clean(status).lower(), style(status)))
        return Text.assemble((frame.look.fold, "dim"), f"{row.size} more: ", Text(", ").join(parts))
    task = row.task
    return (
        _named(row, frame),
        Text(clean(task.service), "dim"),
        _state(task, frame),
        Text(f"attempt {task.attempts}" if task.attempts > 1 else "", "yellow"),
        _time(task, frame),
    )


def _full_cells(row: TaskRow, run: Run, frame: Frame) -> Sequence[Text]:
    task = row.task
    begun = run.begun_at
    offset = "" if task.started_at is None or begun is None else f"+{duration(task.started_at - begun)}"
    return (
        _named(row, frame),
        Text(clean(task.service), "dim"),
        _state(task, frame),
        Text(str(task.attempts or "")),
        Text(offset, "dim"),
        _time(task, frame),
        Text(clean(", ".join(task.after)), "dim"),
    )


def _named(row: TaskRow, frame: Frame) -> Text:
    look, task = frame.look, row.task
    stem = "" if row.alone else look.corner if row.last else look.branch
    name_style = "dim" if task.status in {"PENDING", "CANCELED"} else ""
    return Text.assemble(
        (stem, "dim"),
        (look.symbol(task.status, frame.tick) + " ", style(task.status)),
        (clean(task.id), name_style),
    )


def _state(task: Task, frame: Frame) -> Text:
    waits_ms = task.waits_ms(frame.now_ms)
    shown = f"retry in {countdown(waits_ms)}" if waits_ms else clean(task.status).lower()
    return Text(shown, style(task.status))


def _deadline(deadline_at: int, run: Run, frame: Frame) -> str:
    """Return a run's deadline, and how long it is until then as long as that matters."""
    if run.status in TERMINAL:
        return moment(deadline_at)
    left_ms = deadline_at - frame.now_ms
    return f"{moment(deadline_at)}, {f'in {countdown(left_ms)}' if left_ms > 0 else 'passed'}"


def _time(task: Task, frame: Frame) -> Text:
    took = task.duration_ms(frame.now_ms)
    return Text("" if took is None else duration(took))


def _bar(task: Task, run: Run, frame: Frame, room: int) -> Text:
    """Return when the task ran within the run, as a bar; the whole room is the run so far."""
    took, begun = task.duration_ms(frame.now_ms), run.begun_at
    if took is None or task.started_at is None or begun is None:
        return Text()
    span = max(1, run.duration_ms(frame.now_ms))
    first = min(room - 1, max(0, (task.started_at - begun) * room // span))
    length = max(1, min(room - first, -(-took * room // span)))
    return Text(" " * first).append(frame.look.bar * length, style(task.status))
