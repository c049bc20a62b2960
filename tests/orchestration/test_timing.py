"""How long a claim is believed."""

from __future__ import annotations

import pytest

from orchestration.timing import Timing


@pytest.mark.parametrize(
    ("timeout_s", "lease_ms"), [(0, 30_000), (1, 31_000), (60, 90_000), (61, 90_000), (840, 90_000)]
)
def test_a_lease_is_for_the_attempt_and_its_slack_and_at_most_until_the_next_signs_of_life(
    timeout_s: int, lease_ms: int
) -> None:
    assert Timing().lease_ms(timeout_s) == lease_ms


def test_two_of_three_signs_of_life_may_get_lost() -> None:
    timing = Timing()
    assert 3 * timing.heartbeat_s <= timing.lease_s
    assert timing.grace_ms == 120_000
