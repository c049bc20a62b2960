"""What the end-to-end tests share: one system, which the whole session has."""

from __future__ import annotations

import pytest

from tests.support.stack import POLL_S, PROGRAM, ROOT, TERMINAL, System

__all__ = ["POLL_S", "PROGRAM", "ROOT", "TERMINAL", "System"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("chaos") and "chaos" not in item.config.option.markexpr:
        pytest.skip("it takes minutes: make chaos")


@pytest.fixture
def system(deployed_system: System) -> System:
    return deployed_system
