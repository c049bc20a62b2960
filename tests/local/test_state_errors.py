"""Which errors of a state are tried again, and when."""

from __future__ import annotations

from typing import Any

import pytest

from local.bootstrap.state_errors import DATA_LIMIT, QUERY, RUNTIME, TIMEOUT, Retriers

Json = Any

RETRIERS: list[tuple[list[Json], list[str], list[float | None]]] = [
    ([], ["E"], [None]),
    ([{"ErrorEquals": ["E"]}], ["E"] * 4, [1, 2, 4, None]),
    (
        [{"ErrorEquals": ["E"], "IntervalSeconds": 3, "BackoffRate": 1.5, "MaxAttempts": 9, "MaxDelaySeconds": 5}],
        ["E"] * 3,
        [3, 4.5, 5],
    ),
    ([{"ErrorEquals": ["E"], "IntervalSeconds": 8, "JitterStrategy": "FULL"}], ["E"] * 2, [2, 4]),
    ([{"ErrorEquals": ["E"], "BackoffRate": 1e300, "MaxDelaySeconds": 9}], ["E"] * 3, [1, 9, 9]),
    # Each counts for itself, and the first that matches decides.
    (
        [{"ErrorEquals": ["A", "B"], "MaxAttempts": 2}, {"ErrorEquals": ["C"], "IntervalSeconds": 5}],
        ["A", "B", "C", "B"],
        [1, 2, 5, None],
    ),
    ([{"ErrorEquals": ["E"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}], ["E"], [None]),
    ([{"ErrorEquals": ["States.ALL"]}], ["E", TIMEOUT, QUERY], [1, 2, 4]),
    ([{"ErrorEquals": ["States.ALL"]}], [DATA_LIMIT, RUNTIME], [None, None]),
    ([{"ErrorEquals": ["States.ALL", DATA_LIMIT]}], [DATA_LIMIT], [1]),
    ([{"ErrorEquals": ["States.TaskFailed"]}], ["E", TIMEOUT], [1, None]),
]


@pytest.mark.parametrize(("retriers", "errors", "delays"), RETRIERS)
def test_the_retriers_say_whether_and_when(retriers: list[Json], errors: list[str], delays: list[float | None]) -> None:
    tries = Retriers(retriers, [0] * len(retriers))
    assert [tries.delay_s(each, lambda: 0.25) for each in errors] == delays
    assert tries.count == len(delays) - delays.count(None)
