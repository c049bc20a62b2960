"""Follow a run to its end: ask, show what changed, wait a little longer the longer nothing does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.text import Text

from cli.client import Response
from cli.errors import RemoteError
from cli.lines import changes
from cli.model import TERMINAL, Run, run_of
from cli.ports import Clock
from cli.terminal import Terminal
from cli.view import overview

Observe = Callable[[Run], None]

_SHORTEST_S, _LONGEST_S = 0.25, 5.0
_MOST_MISSES = 5  # answers in a row that a passing fault may cost
_FRAMES_PER_S = 10


def pause_s(quiet_ms: int, misses: int) -> float:
    """Return how long to wait before asking again: a tenth of the time since the last change, longer after a fault."""
    return float(min(_LONGEST_S, max(_SHORTEST_S, quiet_ms / 10_000)) * 2 ** min(misses, 2))


def follow(describe: Callable[[], Response], first: Response, observe: Observe, clock: Clock) -> Response:
    """Return the description of the run once it has ended. Raises RemoteError when asking keeps failing."""
    described, shown = first, None
    changed_at, misses = clock.now_ms(), 0
    while True:
        run = run_of(described)
        if run != shown:
            observe(run)
            shown, changed_at = run, clock.now_ms()
        if run.status in TERMINAL:
            return described
        clock.sleep(pause_s(clock.now_ms() - changed_at, misses))
        try:
            described, misses = describe(), 0
        except RemoteError as exc:
            misses += 1
            if not exc.passing or misses >= _MOST_MISSES:
                raise


@contextmanager
def screen(terminal: Terminal, clock: Clock) -> Iterator[Observe]:
    """Give what shows a run as it changes: a live graph, lines where there is no screen, or nothing with --json."""
    if terminal.as_json:
        yield lambda _run: None
    elif terminal.live:
        with _live(terminal, clock) as observe:
            yield observe
    else:
        yield _Printed(terminal)


class _Printed:
    """Prints a line for each change."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._shown: Run | None = None

    def __call__(self, run: Run) -> None:
        for line in changes(self._shown, run, self._terminal.look):
            self._terminal.say(line)
        self._shown = run


@contextmanager
def _live(terminal: Terminal, clock: Clock) -> Iterator[Observe]:
    shown: list[Run] = []

    def draw() -> Text:
        if not shown:
            return Text()
        now_ms = clock.now_ms()
        frame = terminal.frame(now_ms, tick=now_ms * _FRAMES_PER_S // 1000)
        return overview(shown[-1], frame)

    view = Live(
        get_renderable=draw,
        console=terminal.console,
        refresh_per_second=_FRAMES_PER_S,
        redirect_stdout=False,
        redirect_stderr=False,
        vertical_overflow="crop",
    )
    with view:
        yield shown.append
