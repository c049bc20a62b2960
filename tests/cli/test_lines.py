from __future__ import annotations

from cli.lines import changes
from cli.look import ASCII, UNICODE
from cli.model import Run, run_of
from tests.cli.fake import ALL_DONE, NOW, abc, described, done

RUNNING = {"status": "RUNNING", "attempts": 1, "ready_at": NOW + 310, "started_at": NOW + 350}


def plain(before: Run | None, after: Run) -> list[str]:
    return [line.plain for line in changes(before, after, UNICODE)]


def test_a_new_run_is_a_line_even_if_nothing_has_begun() -> None:
    assert plain(None, run_of(described())) == ["    +0ms  ● abc-20261123-223100-x7k2q9  RUNNING"]


def test_each_change_is_one_line_in_the_order_of_time() -> None:
    before = run_of(described(tasks=abc(A={**RUNNING, "started_at": NOW + 100})))
    again = {**RUNNING, "attempts": 2, "error": {"name": "Boom", "message": "\x1b[1mbang\nbang"}}
    after = run_of(described(tasks=abc(A=done(100, 200), B2={**RUNNING, "started_at": NOW + 340}, B1=again)))
    assert plain(before, after) == [
        "  +300ms  ✓ A  SUCCEEDED  200ms",
        "  +340ms  ● B2  RUNNING",
        "  +350ms  ● B1  RUNNING  attempt 2  Boom: bang bang",
    ]
    assert plain(after, after) == []


def test_a_task_that_is_tried_again_says_why() -> None:
    failed = {
        "status": "READY",
        "attempts": 1,
        "ready_at": NOW + 400,
        "started_at": NOW + 310,
        "finished_at": NOW + 330,
    }
    error = {"name": "Unavailable", "message": "later"}
    after = run_of(described(tasks=abc(A={**failed, "error": error})))
    assert plain(run_of(described()), after) == [
        "  +400ms  ◌ A  READY  again, after attempt 1  20ms  Unavailable: later"
    ]


def test_a_task_that_waits_says_how_long() -> None:
    waits = {"status": "READY", "ready_at": NOW + 400, "due_at": NOW + 12_000}
    after = run_of(described(tasks=abc(B1={**waits, "attempts": 0}, B2={**waits, "attempts": 2})))
    assert plain(run_of(described()), after) == [
        "  +400ms  ◌ B1  READY  in 12s",
        "  +400ms  ◌ B2  READY  in 12s  again, after attempt 2",
    ]


def test_what_a_redrive_undid_is_no_line() -> None:
    failed = {"status": "FAILED", "attempts": 1, "started_at": NOW + 10, "finished_at": NOW + 30}
    before, after = run_of(described(tasks=abc(A=failed))), run_of(described())
    assert plain(before, after) == []


def test_the_end_of_a_run_is_its_last_line() -> None:
    before = run_of(described(tasks={**ALL_DONE, "C": abc()["C"]}))
    assert plain(before, run_of(described("SUCCEEDED", tasks=ALL_DONE))) == [
        "   +2.2s  ✓ C  SUCCEEDED  500ms",
        "   +2.3s  ✓ abc-20261123-223100-x7k2q9  SUCCEEDED",
    ]


def test_a_run_is_failing_from_when_a_task_has_failed() -> None:
    boom = {"name": "Boom", "message": ""}
    failed = {"status": "FAILED", "attempts": 1, "started_at": NOW + 250, "finished_at": NOW + 300, "error": boom}
    tasks = abc(A=done(100, 100), B1=failed, B2={**RUNNING, "started_at": NOW + 400})
    after = run_of(described("FAILING", tasks=tasks, error={**boom, "task": "B1"}))
    lines = [
        "  +200ms  ✓ A  SUCCEEDED  100ms",
        "  +300ms  ✗ B1  FAILED  50ms  Boom",
        "  +300ms  ✗ abc-20261123-223100-x7k2q9  FAILING",
        "  +400ms  ● B2  RUNNING",
    ]
    assert plain(run_of(described()), after) == lines
    assert plain(None, after) == lines


def test_a_run_that_is_canceled_while_it_is_watched_is_so_after_what_was_seen() -> None:
    """Nobody notes when that was."""
    after = run_of(described("CANCELING", tasks=abc(A=done(100, 100))))
    assert plain(run_of(described()), after) == [
        "  +200ms  ✓ A  SUCCEEDED  100ms",
        "  +200ms  ⊘ abc-20261123-223100-x7k2q9  CANCELING",
    ]
    assert plain(None, after)[0] == "    +0ms  ⊘ abc-20261123-223100-x7k2q9  CANCELING"


def test_without_unicode() -> None:
    assert [line.plain for line in changes(None, run_of(described("FAILED")), ASCII)] == [
        "   +2.3s  x abc-20261123-223100-x7k2q9  FAILED"
    ]
