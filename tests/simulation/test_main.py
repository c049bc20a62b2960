"""The command: it says what it plays, what fails, and how to see that again."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.simulation import __main__ as command
from tests.simulation import soak
from tests.simulation.plants import PLANTS
from tests.simulation.soak import Played

Command = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def orchestra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setattr(soak, "pairs", lambda _: Played())

    def run(*arguments: str) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["simulation", *arguments])
        return command.main(), capsys.readouterr().out.splitlines()

    return run


def test_seeds_that_hold(orchestra: Command) -> None:
    code, lines = orchestra("run", "--seeds", "30", "--base", "7", "--processes", "2")
    assert code == 0
    assert lines[0] == "seeds 7 to 36, on 2 processes"
    assert lines[-1] == "0 of 30 seeds and 0 pairs failed"


def test_a_seed_that_fails_can_be_replayed(orchestra: Command) -> None:
    plant = next(plant for plant in PLANTS if plant.name == "a put overwrites")
    with plant.planted():
        code, lines = orchestra("run", "--seeds", "40", "--processes", "1")
    assert code == 1
    (line, *_) = [line for line in lines if "replay with" in line]
    *_, seed = line.split()
    assert line == f"  replay with: python -m tests.simulation replay {seed}"
    code, lines = orchestra("replay", seed, "--plant", plant.name)
    assert code == 1
    assert "VIOLATED  S2: run-" in lines[-2]
    code, lines = orchestra("replay", seed)
    assert (code, lines[-1].rsplit(": ", 1)[1]) == (0, "nothing is wrong")


def test_a_failure_is_shown_small(orchestra: Command) -> None:
    code, lines = orchestra("shrink", "0", "--mode", "zombies", "--plant", "a result is recorded by whoever has one")
    assert code == 1
    assert lines[0].startswith('{"mode": "zombies", "tape": [')
    assert "VIOLATED" in lines[-2]
