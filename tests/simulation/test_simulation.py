"""Thousands of runs under everything that can go wrong, and what makes their word worth something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from orchestration.overdue import Repair
from tests.simulation import exhaustive, marks
from tests.simulation.faults import FAULTS
from tests.simulation.judge import Violated
from tests.simulation.plants import PLANTS, Plant
from tests.simulation.shrink import shrink, violated
from tests.simulation.simulation import EVERY, Log, Mode, mode_of, play, play_seed
from tests.simulation.tape import Tape
from tests.simulation.world import Coverage, digest

SEEDS = 2_000
CORPUS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("corpus.json").read_text(encoding="utf-8"))
PLANT_OF = {plant.name: plant for plant in PLANTS}
ROOT = Path(__file__).parents[2]


# -- what has failed once ----------------------------------------------------------------------------------------------


def named(entry: dict[str, Any]) -> str:
    return f"{entry['invariant']}-{entry['plant']}".replace(" ", "-")


def fails(entry: dict[str, Any]) -> str | None:
    values = entry.get("tape") or play_all(entry["seed"], Mode(entry["mode"]))
    return violated(values, Mode(entry["mode"]))


def play_all(seed: int, mode: Mode) -> list[int]:
    """Return what a seed draws, up to where it fails."""
    tape = Tape.of_seed(seed)
    with suppress(Violated):
        play(tape, mode)
    return tape.drawn


@pytest.mark.parametrize("entry", CORPUS, ids=named)
def test_what_has_failed_once_does_so_with_its_bug_only(entry: dict[str, Any]) -> None:
    plant = PLANT_OF.get(entry["plant"])
    if plant is not None:
        with plant.planted():
            assert fails(entry) == entry["invariant"]
    assert fails(entry) is None


# -- the engine as it is -----------------------------------------------------------------------------------------------


def test_thousands_of_seeds_violate_nothing_and_reach_everything() -> None:
    coverage: Coverage = Counter()
    failed: list[str] = []
    for seed in range(SEEDS):
        try:
            play_seed(seed, coverage=coverage)
        except Violated as violation:
            failed.append(f"{violation}; replay with: python -m tests.simulation replay {seed}")
    assert failed == []
    assert marks.unknown(coverage) == []
    # Faults of rare calls take more seeds than these: `make simulate` has them, and asks for every mark.
    usual = [mark for mark in marks.unhit(coverage) if mark[-1] not in FAULTS]
    assert [mark for mark in usual if mark[0] == "repair"] == []
    assert len(usual) <= 3, usual


def test_the_modes_are_spread_over_the_seeds() -> None:
    assert {mode_of(seed) for seed in range(EVERY)} == set(Mode)


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_holds(mode: Mode) -> None:
    for seed in range(150):
        play(Tape.of_seed(seed), mode)


@pytest.mark.parametrize(("story", "least"), [("run", 350), ("cancel and redrive", 600)])
def test_every_single_fault_in_the_diamond(story: str, least: int) -> None:
    plans = list(exhaustive.singles(story))
    assert len(plans) > least
    assert exhaustive.failures(plans) == []


@pytest.mark.parametrize("story", exhaustive.STORIES)
def test_some_pairs_of_faults_in_the_diamond(story: str) -> None:
    plans = list(exhaustive.pairs(story))
    assert len(plans) > 10_000
    assert exhaustive.failures(plans[:: len(plans) // 150]) == []


# -- the same again ----------------------------------------------------------------------------------------------------


def logs(seeds: int) -> str:
    """Return the hash of everything that happens in the first seeds."""
    whole: Log = []
    for seed in range(seeds):
        log: Log = []
        world = play_seed(seed, log=log)
        whole += [*log, (seed, world.calls, world.switches, len(world.tape.drawn))]
    return digest(whole)


def test_a_seed_is_always_the_same_simulation() -> None:
    assert logs(200) == logs(200)


def test_the_order_of_hashes_has_no_say() -> None:
    program = "from tests.simulation.test_simulation import logs; print(logs(60))"
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": order},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for order in ("0", "1")
    }
    assert hashes == {f"{logs(60)}\n"}


def test_a_tape_plays_what_its_seed_did() -> None:
    first: Log = []
    seed = Tape.of_seed(11)
    play(seed, Mode.FAULTS, log=first)
    again: Log = []
    play(Tape.of_values(seed.drawn), Mode.FAULTS, log=again)
    assert digest(first) == digest(again)


def test_nothing_happens_that_was_not_planned() -> None:
    world = exhaustive.Plan("run").play()
    assert (world.repairs, world.table.stale, world.judge.invocations) == (Counter(), 0, 5)


def test_the_diamond_is_canceled_in_its_middle_and_redriven() -> None:
    world = exhaustive.Plan("cancel and redrive").play()
    assert (world.repairs, world.judge.invocations, world.table.runs["run-0"].epoch) == (Counter(), 5, 2)


# -- bugs on purpose ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name.replace(" ", "-"))
def test_a_planted_bug_is_found(plant: Plant) -> None:
    found: Counter[str] = Counter()
    with plant.planted():
        for seed in range(plant.seeds):
            try:
                play(Tape.of_seed(seed), plant.mode)
            except Violated as violation:
                found[violation.invariant] += 1
            if found.keys() & plant.invariants:
                return
    raise AssertionError(f"{plant.name}: {plant.seeds} seeds have found {dict(found)}, not {sorted(plant.invariants)}")


def test_the_plants_are_many_and_cover_every_repair() -> None:
    assert len(PLANTS) == len({plant.name for plant in PLANTS}) > 40
    assert {f"the sweeper never does {repair}" for repair in Repair} <= PLANT_OF.keys()


def test_a_plant_is_gone_when_it_is_taken_out() -> None:
    before = logs(20)
    for plant in PLANTS:
        with plant.planted():
            pass
    assert logs(20) == before


# -- small -------------------------------------------------------------------------------------------------------------


def test_a_failure_is_made_small() -> None:
    plant = PLANT_OF["a put overwrites"]
    with plant.planted():
        seed = next(s for s in range(plant.seeds) if violated(play_all(s, plant.mode), plant.mode) == "S2")
        whole = play_all(seed, plant.mode)
        small = shrink(whole, plant.mode, "S2", most_plays=300)
        assert violated(small, plant.mode) == "S2"
    assert len([value for value in small if value]) * 4 < len([value for value in whole if value])
    assert violated(small, plant.mode) is None
