"""What holds for the whole suite: silence is not success, so it knows how many tests there are at least."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support import stack

# How long an example takes says how busy the machine is, and no more.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

MINIMUM_TESTS = 5950
"""Raised with the suite: a file that is no longer collected fails the run, instead of passing unseen."""


RECURSION_LIMIT = sys.getrecursionlimit()


def pytest_runtest_setup() -> None:
    sys.setrecursionlimit(RECURSION_LIMIT)  # jsonata raises it for the whole process, whenever it evaluates something


def pytest_collection_finish(session: pytest.Session) -> None:
    whole = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    narrowed = session.config.option.keyword or session.config.option.markexpr
    if whole and not narrowed and len(session.items) < MINIMUM_TESTS:
        raise pytest.UsageError(f"{len(session.items)} tests were collected, and there should be {MINIMUM_TESTS}")


@pytest.fixture(scope="session")
def deployed_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.System]:
    """The program, deployed once for all tests that want it; they are in several folders."""
    with stack.deployed(tmp_path_factory.mktemp("project")) as system:
        yield system
