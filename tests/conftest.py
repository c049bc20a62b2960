"""What holds for the whole suite: silence is not success, so it knows how many tests there are at least."""

from __future__ import annotations

import pytest

MINIMUM_TESTS = 2280
"""Raised with the suite: a file that is no longer collected fails the run, instead of passing unseen."""


def pytest_collection_finish(session: pytest.Session) -> None:
    whole = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    narrowed = session.config.option.keyword or session.config.option.markexpr
    if whole and not narrowed and len(session.items) < MINIMUM_TESTS:
        raise pytest.UsageError(f"{len(session.items)} tests were collected, and there should be {MINIMUM_TESTS}")
