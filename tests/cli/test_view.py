"""What a run looks like, as whole screens."""

from __future__ import annotations

from typing import Any

import pytest
from rich.text import Text

from cli.look import ASCII, UNICODE
from cli.model import Run, run_of
from cli.view import Frame, details, overview, problems, summary
from tests.cli.fake import ALL_DONE, NOW, abc, described, done, task

HOSTILE = "\x1b[31mred\x07\u202e[/bold] [link=x]"
RETRIED = {
    "status": "RUNNING",
    "attempts": 2,
    "ready_at": NOW + 1000,
    "started_at": NOW + 500,
    "error": {"name": "ValueError", "message": HOSTILE},
}


def halfway() -> Run:
    return run_of(
        described(tasks=abc(A=done(100, 200), B1=done(400, 300), B2=RETRIED, B3={"status": "READY", "ready_at": NOW}))
    )


def screen(run: Run, width: int | None, height: int = 24, look: Any = UNICODE) -> list[str]:
    return overview(run, Frame(NOW + 1900, look, width, height)).plain.split("\n")


def test_a_run_at_80_columns() -> None:
    assert screen(halfway(), 80) == [
        "abc  abc-20261123-223100-x7k2q9  dynamodb",
        "",
        "✓ A      a   succeeded             200ms    ━━━━",
        "├─ ✓ B1  b1  succeeded             300ms          ━━━━━━",
        "├─ ● B2  b2  running    attempt 2   1.4s            ━━━━━━━━━━━━━━━━━━━━━━━━━━━━",
        "└─ ◌ B3  b3  ready",
        "○ C      c   pending",
        "",
        "● RUNNING  2 of 5 tasks  1.9s",
        "◌ B2 is tried again: ValueError: red[/bold] [link=x]",
    ]


def test_a_run_without_unicode_at_40_columns() -> None:
    assert screen(halfway(), 40, look=ASCII) == [
        "abc  abc-20261123-223100-x7k2q9  dynamod",
        "",
        "+ A      a   succeeded             200ms",
        "|- + B1  b1  succeeded             300ms",
        "|- > B2  b2  running    attempt 2   1.4s",
        "`- ~ B3  b3  ready",
        ". C      c   pending",
        "",
        "> RUNNING  2 of 5 tasks  1.9s",
        "~ B2 is tried again: ValueError: red[/bo",
    ]


def test_a_run_at_20_columns_and_10_lines() -> None:
    assert screen(halfway(), 20, 10) == [
        "abc  abc-20261123-2…",
        "",
        "┆  2 more succeeded",
        "├─ ● B2  b2  1.4s",
        "└─ ◌ B3  b3",
        "○ C      c",
        "",
        "● RUNNING  2 of 5 t…",
        "◌ B2 is tried again…",
    ]


def test_what_is_not_a_terminal_gets_no_bars_and_no_cuts() -> None:
    assert screen(halfway(), None)[2:4] == [
        "✓ A      a   succeeded             200ms",
        "├─ ✓ B1  b1  succeeded             300ms",
    ]


def test_a_run_that_has_ended_leaves_its_errors_to_the_report() -> None:
    failed = run_of(described("FAILED", error={"name": "Boom", "message": "no", "task": "A"}))
    assert screen(failed, 80)[-1] == "✗ FAILED  0 of 5 tasks  2.3s"


WAITS = {"status": "READY", "attempts": 2, "ready_at": NOW, "due_at": NOW + 13_200, "error": {"name": "Busy"}}


def test_a_task_that_waits_for_another_attempt_counts_down() -> None:
    run = run_of(described(tasks=abc(A=WAITS)))
    assert screen(run, 80)[2] == "○ A      a   retry in 12s  attempt 2".replace("○", "◌")
    assert screen(run, 40)[2] == "◌ A      a   retry in 12s  attempt 2"
    late = overview(run, Frame(NOW + 13_200, UNICODE, 80)).plain.split("\n")
    assert late[2] == "◌ A      a   ready    attempt 2"


def ending(status: str, running: int) -> Run:
    at_work = {f"t{n}": task("RUNNING", attempts=1, started_at=NOW + 100) for n in range(running)}
    return run_of(described(status, tasks={**at_work, "left": task("CANCELED", finished_at=NOW)}))


@pytest.mark.parametrize(
    ("running", "awaited"),
    [
        (0, []),
        (2, ["  still running: t0, t1"]),
        (60, ["  still running: t0, t1, t2, t3 and 56 more"]),
    ],
)
def test_a_run_that_is_ending_names_what_it_waits_for(running: int, awaited: list[str]) -> None:
    for status, symbol in (("CANCELING", "⊘"), ("FAILING", "✗")):
        last = [f"{symbol} {status}  0 of {running + 1} task{'s' if running else ''}  1.9s", *awaited]
        assert screen(ending(status, running), 80, 80)[-len(last) :] == last
        assert details(ending(status, running), Frame(NOW + 1900, UNICODE)).plain.split("\n")[-len(last) :] == last
    assert screen(ending("RUNNING", running), 80, 80)[-1].startswith("● RUNNING")


def test_a_canceling_run_without_unicode_at_36_columns() -> None:
    tasks = abc(
        A=done(100, 200),
        B1={"status": "RUNNING", "attempts": 1, "started_at": NOW + 400},
        **{t: {"status": "CANCELED", "finished_at": NOW + 600} for t in ("B2", "B3", "C")},
    )
    assert screen(run_of(described("CANCELING", tasks=tasks)), 36, look=ASCII) == [
        "abc  abc-20261123-223100-x7k2q9  dyn",
        "",
        "+ A      a   succeeded  200ms",
        "|- > B1  b1  running     1.5s",
        "|- - B2  b2  canceled",
        "`- - B3  b3  canceled",
        "- C      c   canceled",
        "",
        "- CANCELING  1 of 5 tasks  1.9s",
        "  still running: B1",
    ]


def graph_of(count: int, *, wide: bool) -> Run:
    tasks = {"first": task("SUCCEEDED")}
    for n in range(count):
        before = "first" if wide or n == 0 else f"t{n - 1}"
        tasks[f"t{n}"] = task("RUNNING" if n == count // 2 else "PENDING", after=[before], started_at=NOW + n)
    return run_of(described(tasks=tasks))


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize(
    ("count", "width", "height"),
    [(0, 20, 8), (1, 80, 24), (60, 1, 1), (60, 20, 8), (60, 80, 24), (100, 80, 24), (100, 200, 60), (9_999, 80, 24)],
)
def test_every_graph_fits_every_screen(*, wide: bool, count: int, width: int, height: int) -> None:
    lines = screen(graph_of(count, wide=wide), width, height)
    assert len(lines) <= max(height - 1, 5)
    assert all(Text(line).cell_len <= width for line in lines)


def test_details_show_every_task_with_its_times_and_what_it_waits_for() -> None:
    run = run_of(described("SUCCEEDED", tasks=ALL_DONE, created_at=None, started_at=NOW))
    lines = details(run, Frame(NOW + 99_000, UNICODE, 80)).plain.split("\n")
    assert lines[:3] == [
        "abc  abc-20261123-223100-x7k2q9",
        "engine    dynamodb",
        "version   0123456789ab",
    ]
    assert lines[5:] == [
        "",
        "TASK     SERVICE  STATE      ATTEMPTS  STARTED   TIME  AFTER",
        "✓ A      a        succeeded         1   +100ms  200ms",
        "├─ ✓ B1  b1       succeeded         1   +400ms  300ms  A",
        "├─ ✓ B2  b2       succeeded         1   +400ms   1.2s  A",
        "└─ ✓ B3  b3       succeeded         1   +450ms  900ms  A",
        "✓ C      c        succeeded         1    +1.7s  500ms  B1, B2, B3",
        "",
        "✓ SUCCEEDED  5 of 5 tasks  2.3s",
    ]


@pytest.mark.parametrize(
    ("status", "now", "ending"),
    [("RUNNING", NOW, "in 5m 00s"), ("RUNNING", NOW + 300_000, "passed"), ("SUCCEEDED", NOW, None)],
)
def test_details_name_the_deadline(status: str, now: int, ending: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.view.moment", lambda at: f"at {at}")
    run = run_of(described(status, deadline_at=NOW + 300_000))
    lines = details(run, Frame(now, UNICODE, 80)).plain.split("\n")
    assert lines[5] == f"deadline  at {NOW + 300_000}" + (f", {ending}" if ending else "")
    assert lines[6] == ""


@pytest.mark.parametrize(("epoch", "times"), [(2, "once"), (4, "3 times")])
def test_details_say_how_often_a_run_was_redriven(epoch: int, times: str) -> None:
    lines = details(run_of(described(epoch=epoch)), Frame(NOW, UNICODE, 80)).plain.split("\n")
    assert lines[5:7] == [f"redriven  {times}", ""]


def test_details_fold_nothing() -> None:
    lines = details(graph_of(300, wide=True), Frame(NOW, UNICODE, 80, 10)).plain.split("\n")
    assert sum(" pending" in line for line in lines) == 299


def test_problems_name_each_error_once() -> None:
    error = {"name": "Boom", "message": "bang"}
    run = run_of(
        described(
            "FAILED",
            error={**error, "task": "A"},
            tasks=abc(
                A={"status": "FAILED", "attempts": 1, "error": error},
                B1={"status": "CANCELED", "error": {"name": "Late", "message": ""}},
                B2={"status": "READY", "error": {"name": "", "message": "again"}},
            ),
        )
    )
    assert [line.plain for line in problems(run, UNICODE)] == [
        "✗ A failed: Boom: bang",
        "⊘ B1 was canceled after: Late",
        "◌ B2 is tried again: again",
    ]


def test_text_from_outside_is_text_everywhere() -> None:
    tasks = {HOSTILE: task(HOSTILE, service=HOSTILE, after=[HOSTILE], attempts=1, started_at=NOW)}
    error = {"name": HOSTILE, "message": HOSTILE, "task": HOSTILE}
    run = run_of(described(HOSTILE, run_id=HOSTILE, workflow=HOSTILE, engine=HOSTILE, error=error, tasks=tasks))
    frame = Frame(NOW, UNICODE, 400)
    for shown in (overview(run, frame), details(run, frame)):
        assert "\x1b" not in shown.plain
        assert "\u202e" not in shown.plain
        assert "red[/bold] [link=x]" in shown.plain
        assert not any("link" in str(span.style) for span in shown.spans)


def test_a_summary_in_words() -> None:
    run = run_of(described(tasks={"A": task("RUNNING")}))
    assert summary(run, Frame(NOW, UNICODE, tick=3)).plain == "⠸ RUNNING  0 of 1 task  0ms"
