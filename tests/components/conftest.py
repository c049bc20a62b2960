from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pulumi runs a program in its project's folder, and paths of assets are relative to it."""
    monkeypatch.chdir(ROOT)
