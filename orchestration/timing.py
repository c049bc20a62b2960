"""How long the engine waits before it takes something for lost."""

from __future__ import annotations

from dataclasses import dataclass

SWEEP_MS = 60_000
"""How often the sweeper comes."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds. What is set here decides how soon a loss is found, never whether the outcome is right."""

    lease_s: int = 60
    """The longest that a claim is believed without a sign of life: the worker of a longer task renews its lease."""

    heartbeat_s: int = 20
    """How often a worker renews its lease: two of three may fail."""

    lease_slack_s: int = 30
    """Added to each lease: clocks differ, a busy service is asked a few times, and the result has to be written."""

    grace_s: int = 120
    """How long a message or a stream record may be under way before the sweeper does what it asks for."""

    def lease_ms(self, timeout_s: float) -> int:
        """Return for how long a claim or a renewal of an attempt with this timeout is believed."""
        return round((min(timeout_s, self.lease_s) + self.lease_slack_s) * 1000)

    @property
    def grace_ms(self) -> int:
        return self.grace_s * 1000
