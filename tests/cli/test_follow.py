"""Following a run: how often it is asked for, and what a fault on the way costs."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cli.errors import RemoteError
from cli.follow import follow, pause_s, screen
from cli.look import UNICODE
from cli.model import Run, run_of
from cli.terminal import Terminal
from tests.cli.fake import ALL_DONE, NOW, FakeClock, abc, described, done

PASSING = RemoteError("throttled", passing=True)
LASTING = RemoteError("denied")


@pytest.mark.parametrize(
    ("quiet_ms", "misses", "expected"),
    [
        (0, 0, 0.25),
        (2_000, 0, 0.25),
        (10_000, 0, 1.0),
        (3_600_000, 0, 5.0),
        (0, 1, 0.5),
        (0, 9, 1.0),
        (60_000, 3, 20.0),
    ],
)
def test_the_pause_grows_with_the_quiet(quiet_ms: int, misses: int, expected: float) -> None:
    assert pause_s(quiet_ms, misses) == expected


def followed(*answers: Any) -> tuple[Any, list[Run], FakeClock]:
    clock, seen, left = FakeClock(), list[Run](), list(answers)

    def describe() -> Any:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ended = follow(describe, described(), seen.append, clock.port())
    assert not left
    return ended, seen, clock


def test_a_run_is_shown_when_it_changes_and_answered_when_it_has_ended() -> None:
    middle, end = described(tasks=abc(A=done(100, 200))), described("SUCCEEDED", tasks=ALL_DONE)
    ended, seen, clock = followed(described(), described(), middle, end)
    assert ended == end
    assert seen == [run_of(described()), run_of(middle), run_of(end)]
    assert clock.sleeps == [0.25] * 4


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "CANCELED"])
def test_a_run_that_has_ended_is_not_asked_for_again(status: str) -> None:
    end = described(status)
    assert follow(lambda: pytest.fail("asked"), end, lambda _run: None, FakeClock().port()) == end


def test_a_quiet_run_is_asked_for_ever_more_rarely() -> None:
    _, _, clock = followed(*[described()] * 100, described("FAILED"))
    assert clock.sleeps == sorted(clock.sleeps)
    assert (clock.sleeps[0], clock.sleeps[-1]) == (0.25, 5.0)


def test_passing_faults_are_ridden_out_and_a_run_of_them_is_not() -> None:
    end = described("SUCCEEDED")
    ended, _, clock = followed(PASSING, PASSING, PASSING, PASSING, described(), PASSING, end)
    assert ended == end
    assert clock.sleeps[:4] == [0.25, 0.5, 1.0, 1.0]
    with pytest.raises(RemoteError, match="throttled"):
        followed(*[PASSING] * 5)


def test_a_lasting_fault_ends_it_at_once() -> None:
    with pytest.raises(RemoteError, match="denied"):
        followed(LASTING)


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_live_screen_ends_with_the_last_state() -> None:
    file = Tty()
    console = Console(
        file=file, width=80, height=24, markup=False, highlight=False, color_system=None, force_terminal=True
    )
    with screen(Terminal(console, UNICODE, as_json=False), FakeClock(NOW + 1900).port()) as observe:
        observe(run_of(described()))
        observe(run_of(described("SUCCEEDED", tasks=ALL_DONE)))
    last = file.getvalue().split("abc  abc-20261123-223100-x7k2q9")[-1]
    assert "└─ ✓ B3  b3  succeeded  900ms" in last
    assert "✓ SUCCEEDED  5 of 5 tasks  2.3s" in last


def test_with_json_nothing_is_shown() -> None:
    file = Tty()
    with screen(Terminal(Console(file=file), UNICODE, as_json=True), FakeClock().port()) as observe:
        observe(run_of(described()))
    assert file.getvalue() == ""
