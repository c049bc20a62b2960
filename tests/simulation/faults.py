"""What can go wrong, and how often it does in one simulation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from tests.simulation.tape import SIZE, Tape


class Outcome(StrEnum):
    """How one call of a port goes."""

    OK = "ok"
    LOST_REPLY = "lost reply"  # carried out; the SDK hears nothing, and asks again
    REFUSED = "refused"  # throttled or unreachable until the SDK gave up: not carried out
    UNKNOWN = "unknown"  # carried out, and the SDK gave up before it heard so
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    PAUSE_BEFORE = "pause before"  # the process stands still for long, and goes on as if nothing had been
    PAUSE_AFTER = "pause after"


FAULTS = tuple(outcome for outcome in Outcome if outcome is not Outcome.OK)
NEVER = 0.4
"""How likely a kind of fault never happens in a simulation: so that in some few kinds meet, and in others many."""


@dataclass(kw_only=True)
class Faults:
    """Probabilities, but for what is said. All zero: nothing goes wrong."""

    # of each call of a port
    crash: float = 0
    lost_reply: float = 0
    refused: float = 0
    unknown: float = 0
    pause: float = 0
    # of each message, record, or batch of records
    message_lost: float = 0
    message_twice: float = 0
    message_late: float = 0
    message_again: float = 0  # though it was handled
    record_lost: float = 0
    records_again: float = 0
    # of each read of several items, and of each look at the index
    torn: float = 0
    index_late: float = 0
    # of each invocation of a task's service
    busy: float = 0
    cut_off: float = 0  # the connection broke, before or after the effect
    unavailable: float = 0
    error: float = 0
    overlong: float = 0
    # of each tick of the sweeper
    tick_missed: float = 0
    tick_twice: float = 0
    # of each renewal of a lease
    beat_unknown: float = 0
    # of each process
    skewed: float = 0
    old_release: float = 0
    # whether latencies have a long tail
    slow: float = 0

    def __post_init__(self) -> None:
        calls = {
            Outcome.LOST_REPLY: self.lost_reply,
            Outcome.REFUSED: self.refused,
            Outcome.UNKNOWN: self.unknown,
            Outcome.CRASH_BEFORE: self.crash / 2,
            Outcome.CRASH_AFTER: self.crash / 2,
            Outcome.PAUSE_BEFORE: self.pause / 2,
            Outcome.PAUSE_AFTER: self.pause / 2,
        }
        limit = SIZE * (1 - sum(calls.values()))
        self.harmless = limit
        self._limits: list[tuple[float, Outcome]] = []
        for outcome, probability in calls.items():
            limit += SIZE * probability
            self._limits.append((limit, outcome))

    def of_call(self, tape: Tape) -> Outcome:
        if self.harmless >= SIZE:
            return Outcome.OK
        drawn = tape.draw()
        if drawn < self.harmless:
            return Outcome.OK
        return next((outcome for limit, outcome in self._limits if drawn < limit), Outcome.PAUSE_AFTER)


MOST = Faults(
    crash=0.06,
    lost_reply=0.06,
    refused=0.05,
    unknown=0.05,
    pause=0.03,
    message_lost=0.25,
    message_twice=0.3,
    message_late=0.2,
    message_again=0.2,
    record_lost=0.15,
    records_again=0.2,
    torn=0.5,
    index_late=0.6,
    busy=0.3,
    cut_off=0.2,
    unavailable=0.1,
    error=0.35,
    overlong=0.15,
    tick_missed=0.3,
    beat_unknown=0.3,
    tick_twice=0.4,
    skewed=0.8,
    old_release=0.5,
    slow=1.0,
)


def drawn(tape: Tape) -> Faults:
    """Return a mixture: each kind of fault never, or up to its most."""
    rates = {}
    for field in fields(Faults):
        roll = tape.fraction()
        rates[field.name] = 0.0 if roll < NEVER else (roll - NEVER) / (1 - NEVER) * getattr(MOST, field.name)
    return Faults(**rates)
